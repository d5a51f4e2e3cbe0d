// How many requests to one registry run at a time.
import { Slots } from '../../../transfer/index.ts';
import type { Release } from '../../../transfer/index.ts';

/** The kinds of requests: small ones, blobs that come, and blobs that go. No kind keeps another one waiting. */
export type Lane = 'small' | 'download' | 'upload';

const defaults: Readonly<Record<Lane, number>> = { small: 16, download: 6, upload: 6 };

/**
 * The connections of a registry: a bounded number of requests of each kind at a time, in the order in which they came.
 */
export class Lanes {
  readonly #lanes: Readonly<Record<Lane, Slots>>;

  /** @throws RangeError if a number is not at least 1: such a lane would never send a request */
  constructor(limits: Partial<Record<Lane, number | undefined>> = {}) {
    const slots = (name: Lane): Slots => {
      const count = limits[name] ?? defaults[name];
      if (!(count >= 1)) throw new RangeError(`concurrency.${name} is ${count}; it must be at least 1`);
      return new Slots(count);
    };
    this.#lanes = { small: slots('small'), download: slots('download'), upload: slots('upload') };
  }

  /** Waits for its turn in a lane. Rejects with the signal's reason if the signal is aborted first. */
  take(lane: Lane, signal?: AbortSignal): Promise<Release> {
    return this.#lanes[lane].take(signal);
  }
}

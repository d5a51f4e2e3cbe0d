import type { Lane } from './request.ts';

/** Lets a request have its connection. Calling the result gives it back; once counts. */
export type Release = () => void;

const defaults: Readonly<Record<Lane, number>> = { small: 16, download: 6, upload: 6 };

/** A host's connections: so many requests of each kind at a time, in the order in which they came. */
export class Lanes {
  readonly #lanes: Readonly<Record<Lane, { free: number; waiting: Set<() => void> }>>;

  /** @throws RangeError if a number is not at least 1: nothing would ever be sent */
  constructor(limits: Partial<Record<Lane, number | undefined>> = {}) {
    const lane = (name: Lane): { free: number; waiting: Set<() => void> } => {
      const free = limits[name] ?? defaults[name];
      if (!(free >= 1)) throw new RangeError(`${free} requests at a time in the lane ${name}`);
      return { free, waiting: new Set() };
    };
    this.#lanes = { small: lane('small'), download: lane('download'), upload: lane('upload') };
  }

  async take(name: Lane, signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted();
    const lane = this.#lanes[name];
    if (lane.free >= 1) lane.free--;
    else await turn(lane.waiting, signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = lane.waiting;
      // Whoever waits takes the place over, so that nobody can come in between.
      if (next === undefined) lane.free++;
      else next();
    };
  }
}

/** Whoever was given a place has it, even if the signal is aborted in the same moment: it has to be given back. */
async function turn(waiting: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  const hasTurn = await new Promise<boolean>((resolve) => {
    const end = (given: boolean): void => {
      waiting.delete(onTurn);
      signal?.removeEventListener('abort', onAbort);
      resolve(given);
    };
    const onTurn = (): void => end(true);
    const onAbort = (): void => end(false);
    waiting.add(onTurn);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  if (!hasTurn) signal?.throwIfAborted();
}

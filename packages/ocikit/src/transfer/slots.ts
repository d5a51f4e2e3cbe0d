// A bounded number of things at a time, in the order in which they asked.
import { onAbort } from '../model/index.ts';

/** Gives a slot back. Only the first call counts. */
export type Release = () => void;

/** Slots for work that may run only so often at a time. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param count slots; at least 1 */
  constructor(count: number) {
    this.#free = count;
  }

  /** Waits for a slot and takes it. Rejects with the signal's reason if the signal is aborted before there is one. */
  async take(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted();
    if (this.#free >= 1) this.#free--;
    else await this.#turn(signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = this.#waiting;
      // The next in the queue takes this slot over, so that no newcomer can come in between.
      if (next === undefined) this.#free++;
      else next();
    };
  }

  /**
   * If the signal is aborted in the same moment as the slot is given, the slot is taken: the caller has to release it.
   */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const hasTurn = await new Promise<boolean>((resolve) => {
      const end = (given: boolean): void => {
        this.#waiting.delete(onTurn);
        forget?.();
        resolve(given);
      };
      const onTurn = (): void => end(true);
      this.#waiting.add(onTurn);
      const forget = signal === undefined ? undefined : onAbort(signal, () => end(false));
    });
    if (!hasTurn) signal?.throwIfAborted();
  }
}

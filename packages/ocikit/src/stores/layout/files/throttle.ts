// Slows background disk work down while clients push.
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds after a push during which clients count as pushing. */
const recentPush = 50;
/** Milliseconds of pause for each millisecond of work, up to the longest pause. */
const pausePerWork = 15;
const longestPause = 20;

/**
 * The speed of background work: writing an index, synchronising files. While clients push, it pauses between its
 * steps, so that pushes hardly notice it. When no client pushes, or a caller waits for the work, it does not pause.
 */
export class Throttle {
  #pushedAt = -Infinity;
  #urgent = 0;

  /** Notes that a client is pushing. */
  notePush(): void {
    this.#pushedAt = performance.now();
  }

  /** Yields the same pieces, with pauses between them. The time between two pieces counts as work. */
  async *withPauses<T>(pieces: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, undefined> {
    let since = performance.now();
    let isFirst = true;
    for await (const piece of pieces) {
      if (!isFirst) await this.pause(Math.min((performance.now() - since) * pausePerWork, longestPause));
      isFirst = false;
      since = performance.now();
      yield piece;
    }
  }

  /**
   * Pauses if clients push and no caller waits.
   *
   * @param milliseconds below 1: no pause
   */
  async pause(milliseconds: number): Promise<void> {
    const mayPause = this.#urgent === 0 && performance.now() - this.#pushedAt < recentPush;
    if (mayPause && milliseconds >= 1) await delay(milliseconds);
  }

  /** Runs without pauses, because a caller waits for the result. */
  async atFullSpeed<T>(run: () => Promise<T>): Promise<T> {
    this.#urgent++;
    try {
      return await run();
    } finally {
      this.#urgent--;
    }
  }
}

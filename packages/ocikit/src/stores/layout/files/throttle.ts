import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds after a push for which somebody counts as pushing. */
const recentPush = 50;
/** For each millisecond of work so many of rest, and no rest is longer than that. */
const pausePerWork = 15;
const longestPause = 20;

/**
 * How fast to do what has to be done some time: writing an index, synchronising files. As long as somebody pushes, it rests
 * between its steps, so that who pushes hardly meets it; when nobody does, or somebody waits for it, it goes on at once.
 */
export class Throttle {
  #pushedAt = -Infinity;
  #urgent = 0;

  /** Somebody is pushing. */
  notePush(): void {
    this.#pushedAt = performance.now();
  }

  /** The same pieces. What is done between two of them is work. */
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

  /** @param milliseconds less than one is no rest */
  async pause(milliseconds: number): Promise<void> {
    const mayPause = this.#urgent === 0 && performance.now() - this.#pushedAt < recentPush;
    if (mayPause && milliseconds >= 1) await delay(milliseconds);
  }

  /** While it runs, somebody waits. */
  async atFullSpeed<T>(run: () => Promise<T>): Promise<T> {
    this.#urgent++;
    try {
      return await run();
    } finally {
      this.#urgent--;
    }
  }
}

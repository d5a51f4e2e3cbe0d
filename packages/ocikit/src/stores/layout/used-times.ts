import { utimes } from 'node:fs/promises';

/**
 * When content was used last. The newest times are in memory; when there are very many, the older ones become their
 * files' times.
 */
export class UsedTimes {
  /** By a clock that nobody sets: one that jumps must make nothing old, or younger than now. */
  readonly #times = new Map<string, number>();
  readonly #most: number;

  constructor(most = 10_000) {
    this.#most = most;
  }

  touch(path: string): void {
    // Deleted and set again, it is the one that was used last.
    this.#times.delete(path);
    this.#times.set(path, performance.now());
    if (this.#times.size > this.#most) this.#writeOlder();
  }

  /** @param modified the time of the file, in milliseconds */
  of(path: string, modified: number): number {
    const used = this.#times.get(path);
    return used === undefined ? modified : Math.max(wallTime(used), modified);
  }

  forget(path: string): void {
    this.#times.delete(path);
  }

  #writeOlder(): void {
    let left = this.#times.size / 2;
    for (const [path, time] of this.#times) {
      if (left-- <= 0) return;
      this.#times.delete(path);
      // Nobody waits for it; a file that is gone needs no time.
      const seconds = wallTime(time) / 1000;
      utimes(path, seconds, seconds).catch(() => undefined);
    }
  }
}

/** Milliseconds of the epoch. Whole ones have passed, so that it is not before what the clock said then. */
function wallTime(monotonic: number): number {
  return Date.now() - Math.floor(performance.now() - monotonic);
}

import { utimes } from 'node:fs/promises';

interface Use {
  /** By a clock that nobody sets: one that jumps must make nothing old, or younger than now. */
  at: number;
  /** Milliseconds of the epoch that the file itself has, as far as is known. */
  writtenAt: number | undefined;
}

/** Milliseconds by which the time of a file may be wrong. */
const nearly = 1000;

/**
 * When content was used last. The newest times are in memory; when there are very many, the older ones become their
 * files' times.
 */
export class UsedTimes {
  readonly #times = new Map<string, Use>();
  readonly #most: number;
  /** Before it, nothing is known: everything may have been used until then. By the same clock. */
  #unknownUntil: number | undefined;
  readonly #writing = new Set<Promise<void>>();

  constructor(most = 10_000) {
    this.#most = most;
  }

  /** @param writtenAt milliseconds of the epoch, if the file was written then and not since: it may have the time itself */
  touch(path: string, writtenAt?: number): void {
    // Changed in place: to keep them in their order would take longer than to put them in order when that matters.
    const use = this.#times.get(path);
    if (use === undefined) {
      this.#times.set(path, { at: performance.now(), writtenAt });
      if (this.#times.size > this.#most) this.#writeOlder();
      return;
    }
    use.at = performance.now();
    if (writtenAt !== undefined) use.writtenAt = writtenAt;
  }

  /** @param modified the time of the file, in milliseconds */
  of(path: string, modified: number): number {
    const used = Math.max(this.#times.get(path)?.at ?? -Infinity, this.#unknownUntil ?? -Infinity);
    return used === -Infinity ? modified : Math.max(wallTime(used), modified);
  }

  forget(path: string): void {
    this.#times.delete(path);
  }

  /** Milliseconds of the epoch until which {@link UsedTimes.of} everything says that it was used, if it does. */
  get unknownUntil(): number | undefined {
    return this.#unknownUntil === undefined ? undefined : wallTime(this.#unknownUntil);
  }

  /** From now on everything counts as used at that time, or later. */
  setUnknownUntil(time: number): void {
    this.#unknownUntil = Math.max(this.#unknownUntil ?? -Infinity, monotonicTime(time));
  }

  /** What is in memory, in milliseconds of the epoch, the one that was used last at the end. */
  *[Symbol.iterator](): Generator<[path: string, time: number]> {
    for (const [path, { at }] of this.#inOrder()) yield [path, wallTime(at)];
  }

  /** Adds what an earlier process knew; what was used since counts. */
  restore(times: readonly (readonly [path: string, time: number])[]): void {
    for (const [path, time] of times) {
      if (!this.#times.has(path)) this.#times.set(path, { at: monotonicTime(time), writtenAt: undefined });
    }
    if (this.#times.size > this.#most) this.#writeOlder();
  }

  /** Resolves when no file is being given a time any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing);
  }

  /** The one that was used last at the end. */
  #inOrder(): [path: string, use: Use][] {
    return [...this.#times].toSorted(([, one], [, other]) => one.at - other.at);
  }

  #writeOlder(): void {
    for (const [path, { at, writtenAt }] of this.#inOrder().slice(0, this.#times.size / 2)) {
      this.forget(path);
      const time = wallTime(at);
      // Pushed and not used later, with a clock that nobody has set.
      if (writtenAt !== undefined && Math.abs(writtenAt - time) < nearly) continue;
      const seconds = time / 1000;
      // A file that is gone needs no time.
      const writing = utimes(path, seconds, seconds)
        .catch(() => undefined)
        .then(() => void this.#writing.delete(writing));
      this.#writing.add(writing);
    }
  }
}

/** Milliseconds of the epoch. Whole ones have passed, so that it is not before what the clock said then. */
function wallTime(monotonic: number): number {
  return Date.now() - Math.floor(performance.now() - monotonic);
}

/** No clock has to be right for it: a time that is still to come was just now. */
function monotonicTime(wall: number): number {
  return performance.now() - Math.max(Date.now() - wall, 0);
}

// When content was last used, in memory and, for older uses, in the times of the files.
import { utimes } from 'node:fs/promises';

interface Use {
  /** By a monotonic clock: a jump of the wall clock must make nothing older, or newer than now. */
  at: number;
  /** The time of the file itself, in milliseconds since the epoch, if known. */
  writtenAt: number | undefined;
}

/** Milliseconds by which the time of a file may be wrong. */
const nearly = 1000;

/**
 * The times of last use. The newest are in memory. When there are too many, the older half becomes the modification
 * times of the files.
 */
export class UsedTimes {
  readonly #times = new Map<string, Use>();
  readonly #most: number;
  /** Everything counts as used until this time, because nothing is known about earlier uses. By the same clock. */
  #unknownUntil: number | undefined;
  readonly #writing = new Set<Promise<void>>();
  /** The uses that are being written to files: until then the files look unused. */
  readonly #leaving = new Map<string, Use>();

  constructor(most = 10_000) {
    this.#most = most;
  }

  /**
   * Notes a use.
   *
   * @param writtenAt milliseconds since the epoch if the file was written then and not since: the file may have this
   *   time already
   */
  touch(path: string, writtenAt?: number): void {
    // Changed in place. Keeping the map in order would cost more than sorting it when the order matters.
    const use = this.#times.get(path);
    if (use === undefined) {
      this.#times.set(path, { at: performance.now(), writtenAt });
      if (this.#times.size > this.#most) this.#writeOlder();
      return;
    }
    use.at = performance.now();
    if (writtenAt !== undefined) use.writtenAt = writtenAt;
  }

  /**
   * The time of last use, in milliseconds since the epoch.
   *
   * @param modified the file's modification time, in milliseconds since the epoch
   */
  of(path: string, modified: number): number {
    const { at = -Infinity } = this.#times.get(path) ?? this.#leaving.get(path) ?? {};
    const used = Math.max(at, this.#unknownUntil ?? -Infinity);
    return used === -Infinity ? modified : Math.max(wallTime(used), modified);
  }

  /** Forgets a removed file. */
  forget(path: string): void {
    this.#times.delete(path);
    this.#leaving.delete(path);
  }

  /** Milliseconds since the epoch up to which everything counts as used; undefined if there is no such time. */
  get unknownUntil(): number | undefined {
    return this.#unknownUntil === undefined ? undefined : wallTime(this.#unknownUntil);
  }

  /** From now on everything counts as used at this time or later. */
  setUnknownUntil(time: number): void {
    this.#unknownUntil = Math.max(this.#unknownUntil ?? -Infinity, monotonicTime(time));
  }

  /** The paths and times in memory, in milliseconds since the epoch, last used at the end. */
  *[Symbol.iterator](): Generator<[path: string, time: number]> {
    for (const [path, { at }] of this.#inOrder()) yield [path, wallTime(at)];
  }

  /** Adds the times that an earlier process saved. Uses since then win. */
  restore(times: readonly (readonly [path: string, time: number])[]): void {
    for (const [path, time] of times) {
      if (!this.#times.has(path)) this.#times.set(path, { at: monotonicTime(time), writtenAt: undefined });
    }
    if (this.#times.size > this.#most) this.#writeOlder();
  }

  /** Resolves when no file's time is being written. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing);
  }

  /** Sorted, last used at the end. */
  #inOrder(): [path: string, use: Use][] {
    return [...this.#times].toSorted(([, one], [, other]) => one.at - other.at);
  }

  #writeOlder(): void {
    for (const [path, use] of this.#inOrder().slice(0, this.#times.size / 2)) {
      const { at, writtenAt } = use;
      this.forget(path);
      const time = wallTime(at);
      // Used only when it was pushed, and the clock has not jumped since: the file has the right time.
      if (writtenAt !== undefined && Math.abs(writtenAt - time) < nearly) continue;
      const writing = this.#write(path, use, time / 1000).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    }
  }

  async #write(path: string, use: Use, seconds: number): Promise<void> {
    this.#leaving.set(path, use);
    // A removed file needs no time.
    await utimes(path, seconds, seconds).catch(() => undefined);
    if (this.#leaving.get(path) === use) this.#leaving.delete(path);
  }
}

/** Milliseconds since the epoch. Rounded so that the result is never before the wall time at that moment. */
function wallTime(monotonic: number): number {
  return Date.now() - Math.floor(performance.now() - monotonic);
}

/** A time in the future counts as now, so that no clock needs to be right. */
function monotonicTime(wall: number): number {
  return performance.now() - Math.max(Date.now() - wall, 0);
}

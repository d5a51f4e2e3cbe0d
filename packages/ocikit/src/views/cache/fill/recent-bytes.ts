// The last bytes of a running download, in memory: its readers need not read them from the store.

/** Bytes that one download keeps. Readers that keep pace are never further behind. */
const mostOfOne = 4 * 1024 * 1024;
/** Bytes that all downloads of the process keep together. */
const mostOfAll = 32 * 1024 * 1024;

let inUse = 0;

/** The last bytes of a download. They are dropped in their order when there are too many. */
export class RecentBytes {
  readonly #pieces: { start: number; bytes: Uint8Array }[] = [];
  #size = 0;

  /** Adds the bytes that follow the last ones. They must not change any more. */
  add(start: number, bytes: Uint8Array): void {
    const room = Math.min(mostOfOne, mostOfAll - inUse + this.#size);
    while (this.#size + bytes.length > room && this.#pieces.length > 0) this.#drop();
    // A gap is read from the store.
    if (bytes.length > room) return;
    this.#pieces.push({ start, bytes });
    this.#size += bytes.length;
    inUse += bytes.length;
  }

  /** Bytes from `start` on and before `end`, maybe fewer than there are; undefined if these have been dropped. */
  from(start: number, end: number): Uint8Array | undefined {
    for (let i = this.#pieces.length - 1; i >= 0; i--) {
      const piece = this.#pieces[i];
      if (piece === undefined || piece.start > start) continue;
      const { bytes } = piece;
      const [first, last] = [start - piece.start, Math.min(end - piece.start, bytes.length)];
      if (first >= last) return undefined;
      return first === 0 && last === bytes.length ? bytes : bytes.subarray(first, last);
    }
    return undefined;
  }

  /** Drops all bytes. */
  clear(): void {
    while (this.#pieces.length > 0) this.#drop();
  }

  #drop(): void {
    const dropped = this.#pieces.shift()?.bytes.length ?? 0;
    this.#size -= dropped;
    inUse -= dropped;
  }
}

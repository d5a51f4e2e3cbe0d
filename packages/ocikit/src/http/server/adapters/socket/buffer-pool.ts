const mebibyte = 1024 * 1024;

/**
 * Sizes of buffers, the largest first, and how many bytes may be in use, all sizes together, for one of them to be given. The larger they
 * are, the fewer times this thread, the one that reads and the client have to be woken, which on a virtual machine takes as long as
 * copying some hundred KiB.
 */
const sizes: readonly { readonly size: number; readonly budget: number }[] = [
  { size: 2 * mebibyte, budget: 16 * mebibyte },
  { size: mebibyte / 2, budget: 32 * mebibyte },
];
/** When many are in use: made anew, and not counted. */
export const smallBuffer: number = 64 * 1024;
/** Bytes of buffers in use and of those that are kept, together. */
const mostKept = 32 * mebibyte;

/** Buffers that are used again. As long as many are in use, further ones are smaller. */
export class BufferPool {
  readonly #kept = new Map<number, Uint8Array[]>(sizes.map(({ size }) => [size, []]));
  /** Bytes. */
  #inUse = 0;
  #idle = 0;

  take(wanted: number): Uint8Array {
    if (wanted <= smallBuffer) return new Uint8Array(wanted);
    const fitting = sizes.filter((_, i) => wanted > (sizes[i + 1]?.size ?? smallBuffer));
    const found = fitting.find(({ size, budget }) => this.#inUse + size <= budget);
    if (found === undefined) return new Uint8Array(smallBuffer);
    this.#inUse += found.size;
    const kept = this.#kept.get(found.size)?.pop();
    if (kept !== undefined) this.#idle -= kept.length;
    return kept ?? new Uint8Array(found.size);
  }

  giveBack(buffer: Uint8Array): void {
    this.drop(buffer);
    const kept = this.#kept.get(buffer.length);
    if (kept === undefined) return;
    const smaller = sizes.filter(({ size }) => size < buffer.length).map(({ size }) => this.#kept.get(size) ?? []);
    while (this.#inUse + this.#idle + buffer.length > mostKept) {
      // Small ones, of which a rush has left many, make room for it.
      const forgotten = smaller.find(({ length }) => length > 0)?.pop();
      if (forgotten === undefined) return;
      this.#idle -= forgotten.length;
    }
    this.#idle += buffer.length;
    kept.push(buffer);
  }

  /** The buffer may still be written from: it must not be used again. */
  drop(buffer: Uint8Array): void {
    if (this.#kept.has(buffer.length)) this.#inUse -= buffer.length;
  }
}

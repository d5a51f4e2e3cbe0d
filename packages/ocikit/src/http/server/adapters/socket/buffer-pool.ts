// Buffers for large answers: used again, and within a budget of memory.
const mebibyte = 1024 * 1024;

/**
 * Sizes of buffers, the largest first. A buffer of a size is given out only while all buffers in use, of both sizes
 * together, stay within that size's budget. Large buffers wake this thread, the reading thread and the client less
 * often. On a virtual machine one wake-up takes as long as copying some hundred KiB.
 */
const sizes: readonly { readonly size: number; readonly budget: number }[] = [
  { size: 2 * mebibyte, budget: 16 * mebibyte },
  { size: mebibyte / 2, budget: 32 * mebibyte },
];
/** Bytes of a buffer beyond the budgets. Such a buffer is created anew each time and not counted. */
export const smallBuffer: number = 64 * 1024;
/** Maximum bytes of the buffers in use and the idle ones together. */
const mostKept = 32 * mebibyte;

/** A pool of buffers. The more bytes are in use, the smaller are the buffers that it gives out. */
export class BufferPool {
  readonly #kept = new Map<number, Uint8Array[]>(sizes.map(({ size }) => [size, []]));
  /** Bytes of the pool's buffers that are in use. */
  #inUse = 0;
  /** Bytes of the pool's buffers that are idle. */
  #idle = 0;

  /** Returns a buffer for `wanted` bytes. The buffer may be smaller or larger than that. */
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

  /** Takes a buffer back that no read and no write uses any more. */
  giveBack(buffer: Uint8Array): void {
    this.drop(buffer);
    const kept = this.#kept.get(buffer.length);
    if (kept === undefined) return;
    const smaller = sizes.filter(({ size }) => size < buffer.length).map(({ size }) => this.#kept.get(size) ?? []);
    while (this.#inUse + this.#idle + buffer.length > mostKept) {
      // Discard idle buffers of a smaller size, which a burst of requests leaves behind, to make room.
      const discarded = smaller.find(({ length }) => length > 0)?.pop();
      if (discarded === undefined) return;
      this.#idle -= discarded.length;
    }
    this.#idle += buffer.length;
    kept.push(buffer);
  }

  /** Forgets a buffer that a read or write may still use: it must not be given out again. */
  drop(buffer: Uint8Array): void {
    if (this.#kept.has(buffer.length)) this.#inUse -= buffer.length;
  }
}

// Bytes that grow, in memory that goes back to the system as soon as it is released.

/** Bytes up to which memory is allocated as usual. The system maps whole pages for anything else. */
const small = 64 * 1024;

/**
 * Bytes that are collected piece by piece.
 *
 * Buffers of a few megabytes that come and go leave holes in the heap of the C library, which then keeps more than
 * 100 MB for good. A resizable buffer has a mapping of its own instead. It grows in place, and shrinking it to nothing
 * returns its pages at once, without a garbage collection.
 */
export class GrowingBytes {
  readonly #most: number;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #resizable: ArrayBuffer | undefined;
  #size = 0;

  /** @param most bytes that it will have at most */
  constructor(most: number) {
    this.#most = most;
  }

  /** The number of bytes. */
  get size(): number {
    return this.#size;
  }

  /** Copies a piece to the end. */
  add(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#bytes.length) this.#grow(Math.max(size, Math.min(this.#most, size * 2)));
    this.#bytes.set(piece, this.#size);
    this.#size = size;
  }

  #grow(size: number): void {
    if (this.#resizable !== undefined && size <= this.#most) {
      this.#resizable.resize(size);
      return;
    }
    const bytes = new Uint8Array(this.#allocate(size));
    bytes.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = bytes;
  }

  #allocate(size: number): ArrayBuffer {
    if (size <= small || size > this.#most || !('resize' in ArrayBuffer.prototype)) return new ArrayBuffer(size);
    try {
      this.#resizable = new ArrayBuffer(size, { maxByteLength: this.#most });
      return this.#resizable;
    } catch (error) {
      // Not enough address space, which some systems limit.
      if (error instanceof RangeError) return new ArrayBuffer(size);
      throw error;
    }
  }

  /** All bytes, in usual memory. */
  take(): Uint8Array {
    const bytes =
      this.#resizable === undefined ? this.#bytes.subarray(0, this.#size) : this.#bytes.slice(0, this.#size);
    this.release();
    return bytes;
  }

  /** Gives the memory back. */
  release(): void {
    this.#resizable?.resize(0);
    this.#resizable = undefined;
    this.#bytes = new Uint8Array(0);
    this.#size = 0;
  }
}

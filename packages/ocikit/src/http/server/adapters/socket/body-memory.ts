// Memory that a connection reads the body of a request into, so that no piece is copied.
import { SharedPieces } from './shared-pieces.ts';

/** Bytes of a buffer: of one that is used again, and shared with another thread, and of any other one. */
const bufferSize = { shared: 1024 * 1024, own: 64 * 1024 };
/** Bytes of a body that come before its first shared buffer: small bodies need no memory that is used again. */
const beforeShared = 4 * 1024 * 1024;
/** Lent pieces that stay valid at the same time. */
const mostValid = 3;
/** Bytes of a read below which the next bytes are copied: a buffer would cost a slow client's body too much memory. */
const smallestRead = 8 * 1024;

/** The memory of one body. Reads go to one buffer until it is full. */
export class BodyMemory {
  readonly #mayShare: boolean;
  #slot: SharedPieces | undefined;
  #isOpen = true;
  #buffer: Uint8Array | undefined;
  /** Bytes of the buffer that are in use. */
  #used = 0;
  /** Bytes of the body so far. */
  #size = 0;
  /** Bytes of the last read. */
  #lastRead = 0;
  readonly #free: Uint8Array[] = [];
  /** The last pieces that the reader took, the oldest first. */
  readonly #lent: Uint8Array[] = [];

  /** @param mayShare true if the reader uses each piece only until it requests the third one after it */
  constructor(mayShare: boolean) {
    this.#mayShare = mayShare;
  }

  /** Memory for the next read; undefined if the bytes have to be copied out of other memory. */
  room(): Uint8Array | undefined {
    if (!this.#isOpen || this.#lastRead < smallestRead) return undefined;
    if (this.#buffer === undefined || this.#used === this.#buffer.length) {
      this.#buffer = this.#nextBuffer();
      this.#used = 0;
    }
    return this.#buffer.subarray(this.#used);
  }

  /**
   * Notes content of the body that was read. If it is in this memory, it is not overwritten.
   *
   * @param read the bytes that it was read with
   */
  keep(content: Uint8Array, read: number): void {
    const isHeld = this.holds(content);
    // A buffer that is nearly full makes a read small, not the client.
    if (!isHeld || this.#used + read !== this.#buffer?.length) this.#lastRead = read;
    this.#size += content.length;
    if (isHeld) this.#used = content.byteOffset + content.length;
  }

  /** Returns true if the bytes were read into the current buffer. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#buffer?.buffer;
  }

  /** Notes that the reader has this piece. Memory of earlier pieces may be used again. */
  lend(piece: Uint8Array): void {
    this.#lent.push(piece);
    if (this.#lent.length <= mostValid) return;
    const { buffer, byteOffset, length } = this.#lent.shift() ?? piece;
    // The pieces of a buffer are lent in their order, so this was its last one.
    if (isShared(buffer) && byteOffset + length === buffer.byteLength) this.#free.push(new Uint8Array(buffer));
  }

  /** Ends reading into this memory. The last pieces stay valid. */
  close(): void {
    this.#isOpen = false;
    this.#slot?.close();
  }

  #nextBuffer(): Uint8Array {
    if (this.#mayShare && this.#size >= beforeShared) {
      this.#slot ??= SharedPieces.open();
      if (this.#slot !== undefined) return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(bufferSize.shared));
    }
    return Buffer.allocUnsafeSlow(bufferSize.own);
  }
}

/** Returns true if `next` follows `piece` in the same memory. */
export function isNext(piece: Uint8Array, next: Uint8Array): boolean {
  return piece.buffer === next.buffer && piece.byteOffset + piece.length === next.byteOffset;
}

/** Returns true for memory that several threads can use. */
export function isShared(buffer: ArrayBufferLike): boolean {
  return buffer instanceof SharedArrayBuffer;
}

// Memory for the large pieces of a body, used again and again.

/** Bytes of one piece. */
const pieceSize = 1024 * 1024;
/** Pieces that stay valid at the same time. */
const mostValid = 3;
/** Bodies that have such memory at the same time. Other bodies get new memory for each piece. */
const mostBodies = 8;
let bodies = 0;

/**
 * The memory of one body's pieces. It is shared, so that a thread can write and hash a piece without another copy. A
 * piece stays valid until the third one after it.
 */
export class SharedPieces {
  readonly #buffers: Uint8Array[] = [];
  #turn = 0;
  #isOpen = true;

  private constructor() {
    bodies++;
  }

  /** Returns memory for another body; undefined if many bodies have theirs. */
  static open(): SharedPieces | undefined {
    return bodies < mostBodies ? new SharedPieces() : undefined;
  }

  /** Joins buffers that have `size` bytes, at most 1 MiB. */
  join(pieces: readonly Uint8Array[], size: number): Uint8Array {
    const buffer = (this.#buffers[this.#turn] ??= new Uint8Array(new SharedArrayBuffer(pieceSize)));
    this.#turn = (this.#turn + 1) % mostValid;
    let at = 0;
    for (const piece of pieces) {
      buffer.set(piece, at);
      at += piece.length;
    }
    return buffer.subarray(0, size);
  }

  /** Lets another body have such memory. The last pieces stay valid. */
  close(): void {
    if (this.#isOpen) bodies--;
    this.#isOpen = false;
  }
}

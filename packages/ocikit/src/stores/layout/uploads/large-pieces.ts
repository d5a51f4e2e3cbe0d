// Gathering small pieces of a pushed blob into large ones, which are cheaper to write.
import { readSource, untilAborted } from '../../../model/index.ts';
import type { BlobContent, BlobSource } from '../../../model/index.ts';

/** Bytes per write. A call for each piece that a connection delivers costs more than copying the bytes. */
export const largePiece: number = 1024 * 1024;

/** Bytes. A shared piece of at least this size is passed on without a copy. */
const largeEnough = 128 * 1024;

/**
 * The bytes of a source in larger pieces, in shared memory. A piece stays valid until the third piece after it is
 * requested.
 *
 * @param onBytes called with the count of new bytes, repeatedly
 */
export async function* inLargePieces(
  source: BlobSource,
  signal: AbortSignal | undefined,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  const opened = typeof source === 'function' ? await source() : source;
  const pieces = isContent(opened) ? untilAborted(opened.lent(), signal) : readSource(opened, signal);
  const gathered = new GatheredBytes();
  /**
   * After a lent piece, this many pieces are yielded before they are full. Filling them would ask the source for so
   * much that it reuses the lent memory.
   */
  let owed = 0;
  for await (const piece of pieces) {
    if (piece.length >= largeEnough && isShared(piece)) {
      if (gathered.size > 0) yield gathered.take();
      yield piece;
      owed = 2;
      onBytes(piece.length);
      continue;
    }
    for (let at = 0; at < piece.length;) {
      at += gathered.add(piece.subarray(at));
      if (!gathered.isFull && owed === 0) continue;
      yield gathered.take();
      owed = Math.max(owed - 1, 0);
    }
    onBytes(piece.length);
  }
  if (gathered.size > 0) yield gathered.take();
}

/** Gathers bytes in three buffers in turn, so that one can be filled while the others are used. */
class GatheredBytes {
  size = 0;
  readonly #buffers: Uint8Array[] = [];
  #turn = 0;

  get isFull(): boolean {
    return this.size === largePiece;
  }

  /** @returns the number of bytes that fitted */
  add(bytes: Uint8Array): number {
    const buffer = (this.#buffers[this.#turn] ??= new Uint8Array(new SharedArrayBuffer(largePiece)));
    const part = bytes.subarray(0, largePiece - this.size);
    buffer.set(part, this.size);
    this.size += part.length;
    return part.length;
  }

  take(): Uint8Array {
    const taken = this.#buffers[this.#turn]?.subarray(0, this.size) ?? new Uint8Array();
    this.#turn = (this.#turn + 1) % 3;
    this.size = 0;
    return taken;
  }
}

function isShared(piece: Uint8Array): boolean {
  return piece.buffer instanceof SharedArrayBuffer;
}

function isContent(source: object): source is BlobContent {
  return 'lent' in source;
}

import { readSource, untilAborted } from '../../../model/index.ts';
import type { BlobContent, BlobSource } from '../../../model/index.ts';

/** Bytes that are written in one go: a call for each piece that comes off a connection costs more than to copy it. */
export const largePiece: number = 1024 * 1024;

/** From so many bytes on, a piece that other threads can read is handed on as it is. */
const largeEnough = 128 * 1024;

/**
 * The bytes of a source in larger pieces, which other threads can read. Each is good until the third after it is asked for.
 *
 * @param onBytes is told how many have come, again and again
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
  /** Pieces that have to follow on something lent before more may be asked for than it is good for. */
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

/** Gathers bytes in three buffers by turns, so that there is one to be filled while the others are used. */
class GatheredBytes {
  size = 0;
  readonly #buffers: Uint8Array[] = [];
  #turn = 0;

  get isFull(): boolean {
    return this.size === largePiece;
  }

  /** @returns how many of them there was room for */
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

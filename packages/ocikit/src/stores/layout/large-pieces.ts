import { readSource, untilAborted } from '../../model/index.ts';
import type { BlobContent, BlobSource } from '../../model/index.ts';

/** Bytes that are written in one go: a call for each piece that comes off a connection costs more than to copy it. */
export const largePiece: number = 1024 * 1024;

/** From so many bytes on, a piece that other threads can read is handed on as it is. */
const largeEnough = 128 * 1024;

/**
 * The bytes of a source in larger pieces, which other threads can read. Each is good until the one after the next is asked for.
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
  let isLent = false;
  for await (const piece of pieces) {
    if (piece.length >= largeEnough && isShared(piece)) {
      if (gathered.size > 0) yield gathered.take();
      yield piece;
      isLent = true;
      onBytes(piece.length);
      continue;
    }
    for (let at = 0; at < piece.length;) {
      at += gathered.add(piece.subarray(at));
      // What was lent is good only as long as one piece more is read, and so only one may be handed on after it.
      if (gathered.isFull || isLent) yield gathered.take();
      isLent = false;
    }
    onBytes(piece.length);
  }
  if (gathered.size > 0) yield gathered.take();
}

/** Gathers bytes in two buffers by turns, so that there is one to be filled while the other one is used. */
class GatheredBytes {
  size = 0;
  #buffer: Uint8Array | undefined;
  #other: Uint8Array | undefined;

  get isFull(): boolean {
    return this.size === largePiece;
  }

  /** @returns how many of them there was room for */
  add(bytes: Uint8Array): number {
    this.#buffer ??= new Uint8Array(new SharedArrayBuffer(largePiece));
    const part = bytes.subarray(0, largePiece - this.size);
    this.#buffer.set(part, this.size);
    this.size += part.length;
    return part.length;
  }

  take(): Uint8Array {
    const taken = this.#buffer?.subarray(0, this.size) ?? new Uint8Array();
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
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

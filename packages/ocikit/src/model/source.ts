// The forms in which a caller may give bytes to a registry, and how they are read.
import { untilAborted } from './iteration.ts';

/**
 * Bytes to store: in memory, a `Blob` or `File`, a stream or async iterable (read once), or a function that opens one
 * of these. Prefer a function: it is called for each attempt, so that a failed transfer can be sent again.
 *
 * @example
 * const source: BlobSource = () => createReadStream('layer.tar.gz');
 */
export type BlobSource = OneTimeSource | (() => OneTimeSource | Promise<OneTimeSource>);

type OneTimeSource = Uint8Array | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/**
 * Opens a source and hands on its bytes as they arrive. Leaving the iteration cancels the source.
 *
 * @example for await (const piece of readSource(source, signal)) await file.write(piece);
 */
export async function* readSource(
  source: BlobSource,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  const opened = typeof source === 'function' ? await source() : source;
  if (opened instanceof Uint8Array) {
    if (opened.length > 0) yield opened;
    return;
  }
  if (Symbol.asyncIterator in opened && !('getReader' in opened)) yield* untilAborted(opened, signal);
  else yield* untilAborted(piecesOf('stream' in opened ? opened.stream() : opened), signal);
  signal?.throwIfAborted();
}

/** Some browsers cannot iterate a ReadableStream. Unlike its own iterator, this one can be left while it waits. */
function piecesOf(stream: ReadableStream<Uint8Array>): AsyncIterableIterator<Uint8Array, undefined> {
  const reader = stream.getReader();
  const pieces: AsyncIterableIterator<Uint8Array, undefined> = {
    async next() {
      const { done, value } = await reader.read();
      if (!done) return { done, value };
      reader.releaseLock();
      return { done, value: undefined };
    },
    async return() {
      // A failed stream rejects its cancellation with the same error.
      await reader.cancel().catch(() => undefined);
      reader.releaseLock();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => pieces,
  };
  return pieces;
}

import { untilAborted } from './iteration.ts';

/**
 * Bytes to be stored: at hand, arriving (read once), a `Blob` or `File`, or a function that opens them, again for
 * each attempt.
 */
export type BlobSource = OneTimeSource | (() => OneTimeSource | Promise<OneTimeSource>);

type OneTimeSource = Uint8Array | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** The bytes of a source, as they come. Leaving the iteration cancels the source. */
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

/** Not every browser can iterate a ReadableStream. Unlike its own iterator, this one can be left while it waits. */
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
      // A stream that has failed has nothing more to cancel.
      await reader.cancel().catch(() => undefined);
      reader.releaseLock();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => pieces,
  };
  return pieces;
}

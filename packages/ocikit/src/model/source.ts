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

/** Hands pieces on until the signal is aborted, also while it waits for one that never comes. */
export async function* untilAborted(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (signal === undefined) {
    yield* pieces;
    return;
  }
  const iterator = pieces[Symbol.asyncIterator]();
  let interrupt: ((reason: unknown) => void) | undefined;
  const onAbort = (): void => interrupt?.(signal.reason);
  const next = (): Promise<IteratorResult<Uint8Array>> =>
    new Promise((resolve, reject) => {
      interrupt = reject;
      iterator.next().then(resolve, reject);
    });
  let ended = false;
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const result = await next();
      if (result.done === true) {
        ended = true;
        return;
      }
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    const left = ended ? undefined : iterator.return?.();
    // A source that hangs would never say that it has been left.
    if (signal.aborted) left?.catch(() => undefined);
    else await left;
  }
}

export interface InParallelOptions {
  /** How many at a time. */
  concurrency: number;
  signal: AbortSignal | undefined;
}

/**
 * Runs something for each item. When one fails, the others are aborted, and the first error is thrown when nothing runs any more.
 */
export async function inParallel<T>(
  items: readonly T[],
  { concurrency, signal }: InParallelOptions,
  run: (item: T, signal: AbortSignal | undefined) => Promise<void>,
): Promise<void> {
  signal?.throwIfAborted();
  if (!(concurrency >= 1)) throw new TypeError(`concurrency is ${concurrency}, and has to be 1 or more`);
  const stop = new AbortController();
  // A signal that is the only one stays itself, with all that it knows of its deadline. Else each item has its own: Node takes more
  // than ten listeners of one for a leak, and says so.
  const signalOf = (): AbortSignal | undefined =>
    items.length < 2 ? signal : AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
  let failure: { error: unknown } | undefined;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const item = items[next++] as T;
      try {
        await run(item, signalOf());
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(Math.floor(concurrency), items.length) }, lane));
  if (failure !== undefined) throw failure.error;
}

// Runs a task for several items at a time.
/** Options of {@link inParallel}. */
export interface InParallelOptions {
  /** How many tasks run at a time. At least 1. */
  concurrency: number;
  /** Ends all tasks. */
  signal: AbortSignal | undefined;
}

/**
 * Runs a task for each item. If one fails, the others are aborted. The first error is thrown when no task runs any
 * more.
 */
export async function inParallel<T>(
  items: readonly T[],
  { concurrency, signal }: InParallelOptions,
  run: (item: T, signal: AbortSignal | undefined) => Promise<void>,
): Promise<void> {
  signal?.throwIfAborted();
  if (!(concurrency >= 1)) throw new TypeError(`concurrency is ${concurrency}, but must be a number of at least 1`);
  const stop = new AbortController();
  // A single item gets the caller's signal itself, which may carry a deadline. Several items get signals of their
  // own, as Node warns of a leak if one signal has more than ten listeners.
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

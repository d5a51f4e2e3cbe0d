/** Looks at the signal before each item and after it: whoever reads a long list need not read all of it. */
export async function* untilAborted<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  signal?.throwIfAborted();
  for await (const item of items) {
    signal?.throwIfAborted();
    yield item;
    signal?.throwIfAborted();
  }
}

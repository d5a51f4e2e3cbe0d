/**
 * What comes of each item, in their order, with so many at work at a time: no more items are asked for than that. When
 * one fails, or nobody wants more, those that have begun come to their end before the sequence does.
 */
export async function* mapAhead<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const running: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const begun = work(item);
      // Its turn to be thrown comes later.
      begun.catch(() => undefined);
      running.push(begun);
      if (running.length < concurrency) continue;
      const first = running.shift();
      if (first !== undefined) yield await first;
    }
    for (let first = running.shift(); first !== undefined; first = running.shift()) yield await first;
  } finally {
    await Promise.allSettled(running);
  }
}

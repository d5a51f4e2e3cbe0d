// Works on several items of a sequence at a time, and gives the results in order.
/**
 * Gives the result for each item, in the order of the items. At most `concurrency` items are taken and worked on at a
 * time. If one fails, or the caller stops iterating, the sequence ends after all work that has started has ended.
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
      // A failure is thrown when its turn comes; until then it must not count as unhandled.
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

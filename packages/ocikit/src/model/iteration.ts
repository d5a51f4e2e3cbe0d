/** All items; rejects, and drops what came before, if the sequence fails. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** At most `count` items; all if it is undefined. Leaving ends the sequence. */
export async function* limit<T>(
  items: AsyncIterable<T>,
  count: number | undefined,
): AsyncGenerator<T, void, undefined> {
  if (count === undefined) {
    yield* items;
    return;
  }
  if (count <= 0) return;
  let left = count;
  for await (const item of items) {
    yield item;
    if (--left === 0) return;
  }
}

/** Hands items on until the signal is aborted, also while it waits for one that never comes. It then rejects with the signal's reason. */
export async function* untilAborted<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  if (signal === undefined) {
    yield* items;
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  let interrupt: ((reason: unknown) => void) | undefined;
  const onAbort = (): void => interrupt?.(signal.reason);
  const next = (): Promise<IteratorResult<T>> =>
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
    // A sequence that hangs would never say that it has been left.
    if (signal.aborted) left?.catch(() => undefined);
    else await left;
  }
}

/**
 * Merges sequences that are each in order into one that is, without duplicates: of items that compare as equal, the
 * one of the first sequence is kept. Reads no further ahead than one item of each.
 *
 * @param compare byte order of strings if it is left out
 */
export function merge(sequences: readonly AsyncIterable<string>[]): AsyncGenerator<string, void, undefined>;
export function merge<T>(
  sequences: readonly AsyncIterable<T>[],
  compare: (a: T, b: T) => number,
): AsyncGenerator<T, void, undefined>;
export async function* merge<T>(
  sequences: readonly AsyncIterable<T>[],
  compare: (a: T, b: T) => number = inByteOrder,
): AsyncGenerator<T, void, undefined> {
  const iterators = sequences.map((sequence) => sequence[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(iterators.map((iterator) => iterator.next()));
    for (;;) {
      let least: { value: T } | undefined;
      for (const head of heads) {
        if (head.done !== true && (least === undefined || compare(head.value, least.value) < 0)) least = head;
      }
      if (least === undefined) return;
      const { value } = least;
      yield value;
      await Promise.all(
        iterators.map(async (iterator, i) => {
          let head = heads[i];
          while (head?.done === false && compare(head.value, value) === 0) head = await iterator.next();
          if (head !== undefined) heads[i] = head;
        }),
      );
    }
  } finally {
    await Promise.allSettled(iterators.map(async (iterator) => iterator.return?.()));
  }
}

/** Names, tags and digests are ASCII, so the order of code units is the order of bytes. */
function inByteOrder(a: unknown, b: unknown): number {
  const [left, right] = [String(a), String(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

// Tools for async sequences: collect, limit, filter, merge, and stop on a signal.
import { onAbort } from './on-abort.ts';

/**
 * Reads all items into an array. If the sequence fails, rejects with its error.
 *
 * @example const tags = await collect(registry.tags('team/app'));
 */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * The first `count` items; all if it is undefined. Ends the sequence when the count is reached. A count of 0 does not
 * start it.
 *
 * @example for await (const tag of limit(registry.tags('team/app'), 10)) console.log(tag);
 */
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

/**
 * Hands items on until the signal is aborted, then rejects with the signal's reason. It does so even if the next item
 * never arrives.
 *
 * @example for await (const tag of untilAborted(registry.tags('team/app'), signal)) console.log(tag);
 */
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
  const next = (): Promise<IteratorResult<T>> =>
    new Promise((resolve, reject) => {
      interrupt = reject;
      iterator.next().then(resolve, reject);
    });
  let ended = false;
  const forget = onAbort(signal, () => interrupt?.(signal.reason));
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
    forget();
    const left = ended ? undefined : iterator.return?.();
    // A sequence that hangs would never settle its return().
    if (signal.aborted) left?.catch(() => undefined);
    else await left;
  }
}

/**
 * Merges sorted sequences into one sorted sequence without duplicates. If items compare as equal, the item of the first
 * such sequence is kept. Reads at most one item of each sequence ahead.
 *
 * @example merge([first.repositories(), second.repositories()])
 * @param compare Default: the byte order of strings
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

/** Names, tags and digests are ASCII, so their code units have the order of their bytes. */
function inByteOrder(a: unknown, b: unknown): number {
  const [left, right] = [String(a), String(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

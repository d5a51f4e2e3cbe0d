// Merges sorted lists of several registries into one.
import { isRegistryError, linkSignal } from '../../model/index.ts';
import type { ListOptions, RegistryError } from '../../model/index.ts';

/** How the items of lists are told apart and combined. */
export interface Merging<T> {
  /** The sort key of an item. The lists are in byte order of it, and items of the same key are one item. */
  key: (item: T) => string;
  /** Makes one item of those with the same key, given in the order of their lists. Default: the first of them. */
  combine?: ((items: readonly [T, ...T[]]) => T) | undefined;
}

/** A list of one registry. It gets the options of the merged list, with a signal that ends with the merged list. */
export type OpenList<T, O extends ListOptions> = (options: O) => AsyncIterable<T>;

/**
 * Merges lists in byte order into one in byte order, without duplicates. The lists are opened when the first item is
 * asked for. Each is read at most one item ahead, and gets the limit of the merged list.
 *
 * A list that fails with NAME_UNKNOWN counts as empty. If all lists fail that way, the first error is thrown. With any
 * other error the merged list fails: a list that lacks a part would be taken for the complete one.
 *
 * @example
 * mergedList(registries.map((registry) => (each) => registry.tags('library/alpine', each)), { limit: 10 })
 */
export function mergedList<O extends ListOptions>(
  lists: readonly OpenList<string, O>[],
  options: O,
): AsyncGenerator<string, void, undefined>;
export function mergedList<T, O extends ListOptions>(
  lists: readonly OpenList<T, O>[],
  options: O,
  merging: Merging<T>,
): AsyncGenerator<T, void, undefined>;
export async function* mergedList<T, O extends ListOptions>(
  lists: readonly OpenList<T, O>[],
  options: O,
  { key = String, combine = ([first]) => first }: Partial<Merging<T>> = {},
): AsyncGenerator<T, void, undefined> {
  const { limit = Infinity, signal } = options;
  signal?.throwIfAborted();
  const link = linkSignal(signal);
  const heads = lists.map((open) => new Head(open({ ...options, signal: link.signal }), key));
  try {
    await advance(heads);
    const [unknown] = heads.flatMap((head) => head.unknown ?? []);
    if (unknown !== undefined && heads.every((head) => head.unknown !== undefined)) throw unknown;
    for (let left = limit; left > 0;) {
      const least = leastOf(heads);
      if (least.length === 0) return;
      const [first, ...others] = least.flatMap((head) => head.items);
      if (first !== undefined) yield combine([first, ...others]);
      signal?.throwIfAborted();
      if (--left > 0) await advance(least);
    }
  } finally {
    link.unlink();
    link.abort(new DOMException('the reader of the list has stopped', 'AbortError'));
    await Promise.all(heads.map((head) => head.leave()));
  }
}

/** Reads the next item of all these lists at the same time. */
async function advance<T>(heads: readonly Head<T>[]): Promise<void> {
  await Promise.all(heads.map((head) => head.advance()));
}

/** The lists that stand at the first item of all. */
function leastOf<T>(heads: readonly Head<T>[]): Head<T>[] {
  let least: Head<T>[] = [];
  for (const head of heads) {
    const [first] = least;
    if (head.key === undefined || (first?.key !== undefined && head.key > first.key)) continue;
    if (first?.key === head.key) least.push(head);
    else least = [head];
  }
  return least;
}

/** One list, and the item at which it stands. */
class Head<T> {
  /** The registry's error if it does not know the repository. */
  unknown: RegistryError | undefined;
  /** The item, or none at the end. In an array, as an item may be anything. */
  items: readonly T[] = [];
  /** The item's key; undefined at the end. */
  key: string | undefined;
  readonly #iterator: AsyncIterator<T>;
  readonly #keyOf: (item: T) => string;
  #state: 'idle' | 'waiting' | 'ended' = 'idle';

  constructor(list: AsyncIterable<T>, keyOf: (item: T) => string) {
    this.#iterator = list[Symbol.asyncIterator]();
    this.#keyOf = keyOf;
  }

  async advance(): Promise<void> {
    this.items = [];
    this.key = undefined;
    if (this.#state === 'ended') return;
    this.#state = 'waiting';
    try {
      const next = await this.#iterator.next();
      this.#state = next.done === true ? 'ended' : 'idle';
      if (next.done === true) return;
      this.items = [next.value];
      this.key = this.#keyOf(next.value);
    } catch (error) {
      this.#state = 'ended';
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
      this.unknown = error;
    }
  }

  async leave(): Promise<void> {
    if (this.#state === 'ended') return;
    // A list that waits for its registry ends only after the answer. Its signal has been aborted, so do not wait for
    // it.
    const left = this.#iterator.return?.();
    if (this.#state === 'waiting') left?.catch(() => undefined);
    else await left;
  }
}

import { isRegistryError, linkSignal } from '../../model/index.ts';
import type { ListOptions, RegistryError } from '../../model/index.ts';

/** How the items of lists are told apart and put together. */
export interface Merging<T> {
  /** Where an item stands: the lists are in byte order of this, and items of the same key are one. */
  key: (item: T) => string;
  /** What items of the same key become, in the order of their lists; the first of them if it is left out. */
  combine?: ((items: readonly [T, ...T[]]) => T) | undefined;
}

/** A list of one registry. It is given the options of the merged one, with a signal that ends with it. */
export type OpenList<T, O extends ListOptions> = (options: O) => AsyncIterable<T>;

/**
 * Lists in byte order as one that is, without duplicates. No list is opened before the first item is asked for, none is read
 * further ahead than one item, and none is asked for more than all of them together may give.
 *
 * A list that fails with NAME_UNKNOWN is empty, as long as there is another one; if all fail so, the first one's error is
 * thrown. With any other error the merged list fails: one that silently lacks a part would be taken for the whole.
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
    link.abort(new DOMException('nobody wants the rest of the list', 'AbortError'));
    await Promise.all(heads.map((head) => head.leave()));
  }
}

/** All of them at the same time. */
async function advance<T>(heads: readonly Head<T>[]): Promise<void> {
  await Promise.all(heads.map((head) => head.advance()));
}

/** Those that stand at the first item of all. */
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

/** One list, and the item at which its reading stands. */
class Head<T> {
  /** What its registry said if it does not know the repository. */
  unknown: RegistryError | undefined;
  /** The item, or none at the end. In an array, as an item may be anything. */
  items: readonly T[] = [];
  /** The item's; undefined at the end. */
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
    // One that waits for its registry is left only when that has answered, and its signal has told it to make haste.
    const left = this.#iterator.return?.();
    if (this.#state === 'waiting') left?.catch(() => undefined);
    else await left;
  }
}

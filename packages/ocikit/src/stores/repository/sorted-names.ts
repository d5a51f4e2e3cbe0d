// A sorted list of names that changes while it is read.
const largestBlock = 1024;

/**
 * Names in byte order, in blocks of bounded size. Adding and removing a name change only one block, and reading starts
 * at any name. So all three take the same time for a hundred names and for a hundred thousand.
 */
export class SortedNames {
  readonly #blocks: string[][] = [];
  #size = 0;

  /**
   * Makes a list of many names at once.
   *
   * @param names in any order, also several times
   */
  static from(names: Iterable<string>): SortedNames {
    const made = new SortedNames();
    const sorted = [...names].toSorted().filter((name, i, all) => name !== all[i - 1]);
    for (let at = 0; at < sorted.length; at += largestBlock >> 1) {
      made.#blocks.push(sorted.slice(at, at + (largestBlock >> 1)));
    }
    made.#size = sorted.length;
    return made;
  }

  /** The number of names. */
  get size(): number {
    return this.#size;
  }

  /** True if the list has the name. */
  has(name: string): boolean {
    const block = this.#blocks[this.#blockFor(name)];
    return block !== undefined && block[lowerBound(block, name)] === name;
  }

  /** Adds a name. */
  add(name: string): void {
    const at = Math.min(this.#blockFor(name), this.#blocks.length - 1);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push([name]);
      this.#size = 1;
      return;
    }
    const i = lowerBound(block, name);
    if (block[i] === name) return;
    block.splice(i, 0, name);
    this.#size++;
    if (block.length > largestBlock) this.#blocks.splice(at + 1, 0, block.splice(block.length >> 1));
  }

  /** Removes a name. */
  delete(name: string): void {
    const at = this.#blockFor(name);
    const block = this.#blocks[at];
    if (block === undefined) return;
    const i = lowerBound(block, name);
    if (block[i] !== name) return;
    block.splice(i, 1);
    this.#size--;
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  /** At most `count` names strictly after `name`; undefined: from the first name. */
  after(name: string | undefined, count: number): string[] {
    const found: string[] = [];
    let at = name === undefined ? 0 : this.#blockFor(name);
    let from = name === undefined ? 0 : upperBound(this.#blocks[at] ?? [], name);
    for (; at < this.#blocks.length && found.length < count; at++, from = 0) {
      found.push(...(this.#blocks[at] ?? []).slice(from, from + count - found.length));
    }
    return found;
  }

  /** The first block whose last name is not before `name`. */
  #blockFor(name: string): number {
    let [low, high] = [0, this.#blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.at(-1) ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function lowerBound(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

function upperBound(names: readonly string[], name: string): number {
  const at = lowerBound(names, name);
  return names[at] === name ? at + 1 : at;
}

const batch = 128;

/** Names in byte order. */
export interface NameList {
  /** At most `count` names strictly after `name`; undefined: from the first name. */
  after(name: string | undefined, count: number): string[] | Promise<string[]>;
}

/** Options of {@link namesAfter}. */
export interface NamesAfterOptions {
  /** Only names strictly after this one. Default: from the first name. */
  startAfter?: string | undefined;
  /** At most this many names; 0: none. Default: all. */
  limit?: number | undefined;
  /** Ends the list when it is aborted; checked before each name. */
  signal?: AbortSignal | undefined;
}

/**
 * Lists names in batches. A name that is added or removed meanwhile may or may not appear.
 *
 * @param names called for each batch, also with a limit of 0. If it fails, the list fails
 */
export function namesAfter(
  names: () => Promise<NameList | undefined> | NameList | undefined,
  options: NamesAfterOptions = {},
): AsyncIterableIterator<string, undefined> {
  return new NameIterator(names, options);
}

/** An iterator and not a generator: lists are requested often, and nested generators take several times as long. */
class NameIterator implements AsyncIterableIterator<string, undefined> {
  readonly #names: () => Promise<NameList | undefined> | NameList | undefined;
  readonly #signal: AbortSignal | undefined;
  #last: string | undefined;
  #left: number;
  #found: readonly string[] = [];
  #at = 0;
  #finding: Promise<void> | undefined;
  #ended = false;

  constructor(names: Parameters<typeof namesAfter>[0], { startAfter, limit = Infinity, signal }: NamesAfterOptions) {
    this.#names = names;
    this.#signal = signal;
    this.#last = startAfter;
    this.#left = limit;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<string, undefined> {
    return this;
  }

  next(): Promise<IteratorResult<string, undefined>> {
    const value = this.#found[this.#at];
    if (value === undefined || this.#signal?.aborted === true) return this.#nextBatch();
    this.#at++;
    return Promise.resolve({ done: false, value });
  }

  return(): Promise<IteratorResult<string, undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #nextBatch(): Promise<IteratorResult<string, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    // Concurrent calls of next() wait for the same batch.
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined;
    });
    await this.#finding;
    return this.next();
  }

  async #find(): Promise<void> {
    try {
      this.#signal?.throwIfAborted();
      const names = await this.#names();
      this.#signal?.throwIfAborted();
      if (this.#at < this.#found.length) return;
      const found = names?.after(this.#last, Math.min(this.#left, batch)) ?? [];
      // A list in memory answers without a turn of the event loop.
      this.#found = Array.isArray(found) ? found : await found;
      this.#at = 0;
      this.#left -= this.#found.length;
      this.#last = this.#found.at(-1);
      if (this.#found.length === 0) this.#end();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#ended = true;
    this.#found = [];
  }
}

const largestBlock = 1024;

/**
 * Names in byte order. Adding, removing and reading on from anywhere cost the same with a hundred names and with a
 * hundred thousand: they lie in blocks, and only one of them is touched.
 */
export class SortedNames {
  readonly #blocks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

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

  /** At most `count` names strictly after `name`; from the first one if it is undefined. */
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

export interface NamesAfterOptions {
  startAfter?: string | undefined;
  limit?: number | undefined;
  /** Looked at before each name. */
  signal?: AbortSignal | undefined;
}

/**
 * Names as they are at each step: one that is added or removed meanwhile is seen or not, and nothing breaks.
 *
 * @param names asked for each batch; if it fails, the sequence does
 */
export function namesAfter(
  names: () => Promise<SortedNames | undefined> | SortedNames | undefined,
  options: NamesAfterOptions = {},
): AsyncIterableIterator<string, undefined> {
  return new NameIterator(names, options);
}

/** By hand, as a page of names is asked for very often, and generators within generators take several times as long. */
class NameIterator implements AsyncIterableIterator<string, undefined> {
  readonly #names: () => Promise<SortedNames | undefined> | SortedNames | undefined;
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
    // Whoever asks for several at once gets them one after another.
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
      this.#found = names?.after(this.#last, Math.min(this.#left, batch)) ?? [];
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

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

/** Names as they are at each step: one that is added or removed meanwhile is seen or not, and nothing breaks. */
export async function* namesAfter(
  names: () => SortedNames | undefined,
  startAfter: string | undefined,
  limit: number = Infinity,
): AsyncGenerator<string, void, undefined> {
  let last = startAfter;
  for (let left = limit; left > 0;) {
    const found = names()?.after(last, Math.min(left, batch)) ?? [];
    if (found.length === 0) return;
    yield* found;
    last = found.at(-1);
    left -= found.length;
  }
}

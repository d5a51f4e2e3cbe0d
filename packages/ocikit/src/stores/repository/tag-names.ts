/** The tags of one manifest: nearly always none or one, for which a Set of its own would be most of what it costs. */
export class TagNames implements Iterable<string> {
  #only: string | undefined;
  #more: Set<string> | undefined;

  get size(): number {
    return this.#more?.size ?? (this.#only === undefined ? 0 : 1);
  }

  add(tag: string): void {
    if (this.#more !== undefined) this.#more.add(tag);
    else if (this.#only === undefined) this.#only = tag;
    else if (this.#only !== tag) this.#more = new Set([this.#only, tag]);
  }

  delete(tag: string): void {
    if (this.#more !== undefined) this.#more.delete(tag);
    else if (this.#only === tag) this.#only = undefined;
  }

  /** Tags that are added or removed meanwhile do no harm. */
  *[Symbol.iterator](): Generator<string, void, undefined> {
    if (this.#more !== undefined) yield* this.#more;
    else if (this.#only !== undefined) yield this.#only;
  }
}

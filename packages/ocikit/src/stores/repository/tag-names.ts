// A small set for the tags of a manifest.

/** The tags of one manifest. Most manifests have at most one tag, for which a Set would take too much memory. */
export class TagNames implements Iterable<string> {
  #only: string | undefined;
  #more: Set<string> | undefined;

  /** The number of tags. */
  get size(): number {
    return this.#more?.size ?? (this.#only === undefined ? 0 : 1);
  }

  /** Adds a tag. */
  add(tag: string): void {
    if (this.#more !== undefined) this.#more.add(tag);
    else if (this.#only === undefined) this.#only = tag;
    else if (this.#only !== tag) this.#more = new Set([this.#only, tag]);
  }

  /** Removes a tag. */
  delete(tag: string): void {
    if (this.#more !== undefined) this.#more.delete(tag);
    else if (this.#only === tag) this.#only = undefined;
  }

  /** The tags. They may be added or removed during the iteration. */
  *[Symbol.iterator](): Generator<string, void, undefined> {
    if (this.#more !== undefined) yield* this.#more;
    else if (this.#only !== undefined) yield this.#only;
  }
}

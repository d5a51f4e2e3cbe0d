/**
 * The last so many keys that were set, or up to twice as many. A map from which the oldest one is deleted each time would pass
 * by all that have been deleted before it.
 */
export class Recent<Key, Value> {
  readonly #least: number;
  #newer = new Map<Key, Value>();
  #older = new Map<Key, Value>();

  constructor(least: number) {
    this.#least = least;
  }

  get(key: Key): Value | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  set(key: Key, value: Value): void {
    this.#newer.set(key, value);
    if (this.#newer.size < this.#least) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}

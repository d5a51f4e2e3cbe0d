// A map of bounded size that forgets its oldest entries.

/**
 * The latest `least` keys that were set, and at most twice as many. It keeps two maps, because a map with many deleted
 * entries at its start is slow to iterate.
 */
export class Recent<Key, Value> {
  readonly #least: number;
  #newer = new Map<Key, Value>();
  #older = new Map<Key, Value>();

  constructor(least: number) {
    this.#least = least;
  }

  /** The value of a key; undefined if it was not set or is forgotten. */
  get(key: Key): Value | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  /** Sets the value of a key, and may forget old keys. */
  set(key: Key, value: Value): void {
    this.#newer.set(key, value);
    if (this.#newer.size < this.#least) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}

// A map of a bounded size that forgets what was not used for longest.

/** A map that forgets entries when it is full, those first that were neither set nor read for longest. */
export class Recent<Value> {
  readonly #limit: number;
  #newer = new Map<string, Value>();
  /** The entries before those. Two maps, as deleting one by one makes the start of a map slow to iterate. */
  #older = new Map<string, Value>();

  /** @param limit entries; at least half of these are kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Value | undefined {
    const value = this.#newer.get(key);
    if (value !== undefined) return value;
    const old = this.#older.get(key);
    if (old !== undefined) {
      this.#older.delete(key);
      this.set(key, old);
    }
    return old;
  }

  set(key: string, value: Value): void {
    this.#newer.set(key, value);
    if (this.#newer.size * 2 < this.#limit) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }

  delete(key: string): void {
    this.#newer.delete(key);
    this.#older.delete(key);
  }

  clear(): void {
    this.#newer = new Map();
    this.#older = new Map();
  }
}

// A map within a budget that forgets the values that were not used for longest.

interface Entry<Value> {
  value: Value;
  weight: number;
}

/**
 * The values that were used last, within a budget. It keeps two generations, so its order is approximate: a map with
 * many deleted entries at its start would be slow to iterate.
 */
export class RecentlyUsed<Value> {
  readonly #half: number;
  #newer = new Map<string, Entry<Value>>();
  #older = new Map<string, Entry<Value>>();
  /** Weight of the newer generation. */
  #weight = 0;

  /** @param budget the greatest weight of all values together */
  constructor(budget: number) {
    this.#half = budget / 2;
  }

  /** The value of a key, which counts as used; undefined if there is none. */
  get(key: string): Value | undefined {
    const entry = this.#newer.get(key);
    if (entry !== undefined) return entry.value;
    const old = this.#older.get(key);
    if (old === undefined) return undefined;
    this.#older.delete(key);
    this.#add(key, old);
    return old.value;
  }

  /** Sets the value of a key. A value that is heavier than half the budget is not kept. */
  set(key: string, value: Value, weight = 1): void {
    this.delete(key);
    if (weight <= this.#half) this.#add(key, { value, weight });
  }

  /** Forgets a value. */
  delete(key: string): void {
    const entry = this.#newer.get(key);
    if (entry === undefined) {
      this.#older.delete(key);
      return;
    }
    this.#newer.delete(key);
    this.#weight -= entry.weight;
  }

  #add(key: string, entry: Entry<Value>): void {
    if (this.#weight + entry.weight > this.#half) {
      this.#older = this.#newer;
      this.#newer = new Map();
      this.#weight = 0;
    }
    this.#newer.set(key, entry);
    this.#weight += entry.weight;
  }
}

/**
 * Remembers a bounded number of values for a while; forgets the oldest first. It uses a clock that is never adjusted.
 */
export class ExpiringMap<V> {
  readonly #most: number;
  readonly #entries = new Map<string, { value: V; until: number }>();

  constructor(most = 10_000) {
    this.#most = most;
  }

  /** The value, if it has not expired. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > performance.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** @param age milliseconds for which the value is remembered. 0: it is not remembered */
  set(key: string, value: V, age: number): void {
    this.#entries.delete(key);
    if (age <= 0) return;
    this.#entries.set(key, { value, until: performance.now() + age });
    if (this.#entries.size <= this.#most) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** Forgets a value. */
  delete(key: string): void {
    this.#entries.delete(key);
  }
}

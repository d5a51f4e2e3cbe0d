/** Remembers values for a while, at most so many: the oldest are forgotten first. Its clock is one that nobody sets. */
export class ExpiringMap<V> {
  readonly #most: number;
  readonly #entries = new Map<string, { value: V; until: number }>();

  constructor(most = 10_000) {
    this.#most = most;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > performance.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** @param age milliseconds for which it is remembered; not at all if it is 0 */
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

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

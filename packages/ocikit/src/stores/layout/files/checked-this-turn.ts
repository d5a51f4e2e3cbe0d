/**
 * What was looked at in this turn of the event loop, and need not be looked at again: nothing of this process has waited since
 * for anything, and for others each look comes too early by the time that the next step takes.
 */
export class CheckedThisTurn {
  readonly #keys = new Set<string>();

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Forgotten when the turn is over. */
  note(key: string): void {
    if (this.#keys.size === 0) setImmediate(() => this.#keys.clear());
    this.#keys.add(key);
  }
}

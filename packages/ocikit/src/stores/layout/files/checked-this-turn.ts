/**
 * The checks that were made in this turn of the event loop, so that they are not repeated. Nothing in this process
 * has waited since. Another process can interfere between any check and the step after it, so repeating the check
 * would not help.
 */
export class CheckedThisTurn {
  readonly #keys = new Set<string>();

  /** True if this check was made in this turn. */
  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Notes a check. It is forgotten at the end of the turn. */
  note(key: string): void {
    if (this.#keys.size === 0) setImmediate(() => this.#keys.clear());
    this.#keys.add(key);
  }
}

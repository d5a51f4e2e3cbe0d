/** Callers that wait for the next change. */
export class Waiters {
  #waiting: (() => void)[] = [];

  /** Resolves with the next {@link Waiters.wake}. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Wakes all waiting callers. */
  wake(): void {
    const woken = this.#waiting;
    this.#waiting = [];
    for (const resolve of woken) resolve();
  }
}

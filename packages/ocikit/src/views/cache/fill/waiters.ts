/** Those who wait for something to move on. */
export class Waiters {
  #waiting: (() => void)[] = [];

  /** Resolves with the next {@link Waiters.wake}. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  wake(): void {
    const woken = this.#waiting;
    this.#waiting = [];
    for (const resolve of woken) resolve();
  }
}

const sliceMilliseconds = 3;

/**
 * For work that is long and may wait: whatever else runs is held up no longer than a slice of it takes, 3 ms.
 *
 * @example
 * const slice = new TimeSlice();
 * for (const item of items) {
 *   work(item);
 *   if (slice.isOver) await slice.giveWay();
 * }
 */
export class TimeSlice {
  #since = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#since >= sliceMilliseconds;
  }

  /** Resolves when everything else that waits has had its turn. */
  async giveWay(): Promise<void> {
    // A promise alone would go on before timers and sockets.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}

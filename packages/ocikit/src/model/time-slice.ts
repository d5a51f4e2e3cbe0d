// Long work in short slices, so that other work of the process need not wait for it.
const sliceMilliseconds = 3;

/**
 * A slice of time for long work that is not urgent. Other work waits for at most one slice, which is 3 ms long.
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

  /** True once the slice has lasted its 3 ms. */
  get isOver(): boolean {
    return performance.now() - this.#since >= sliceMilliseconds;
  }

  /** Lets all other waiting work run, then starts the next slice. */
  async giveWay(): Promise<void> {
    // A resolved promise alone would continue before timers and sockets run.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}

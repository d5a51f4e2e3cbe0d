// Keeps long work of upkeep within its share of the time while the process is busy with requests.
import { TimeSlice } from '../../model/index.ts';

/** Milliseconds: if other work took this long in its turn, the process is busy. */
const busyTurn = 1;
/** Milliseconds of rest for each millisecond of work, so that the work takes a fifth of the time. */
const restPerWork = 4;
const longestRest = 20;

/** The pace of one collection, check or retention, also if several parts of it run at the same time. */
export class Pace {
  readonly #slice = new TimeSlice();
  #since = performance.now();
  #resting: Promise<void> | undefined;

  /** Lets other work run if this work has run for long, and rests if other work has much to do. */
  async giveWay(): Promise<void> {
    if (this.#resting === undefined) {
      if (!this.#slice.isOver) return;
      this.#resting = this.#rest().finally(() => {
        this.#resting = undefined;
      });
    }
    await this.#resting;
  }

  async #rest(): Promise<void> {
    const begun = performance.now();
    const worked = begun - this.#since;
    await this.#slice.giveWay();
    if (performance.now() - begun >= busyTurn) {
      await new Promise((resolve) => {
        setTimeout(resolve, Math.min(worked * restPerWork, longestRest));
      });
      await this.#slice.giveWay();
    }
    this.#since = performance.now();
  }
}

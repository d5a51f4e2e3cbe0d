// Slows background disk work down while clients push.
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds after a push during which clients count as pushing. */
const recentPush = 50;
/** Milliseconds of pause for each millisecond of work, up to the longest pause. */
const pausePerWork = 15;
/** The same while a caller waits for the work: then it takes a fifth of the time. */
const pausePerWaited = 4;
const longestPause = 20;
/** The longest rest after a batch of work. It ends as soon as clients stop pushing. */
const longestRest = 10_000;

/** The time as a {@link Throttle} sees it. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  /** Waits. */
  delay(milliseconds: number): Promise<unknown>;
}

const machineClock: Clock = { now: () => performance.now(), delay: (milliseconds) => delay(milliseconds) };

/**
 * The speed of background work: writing an index, synchronising files. While clients push, it pauses between its
 * steps, so that pushes hardly notice it. If a collection waits for the work, the pauses are shorter. When no client
 * pushes, or a caller needs the work at once, it does not pause.
 */
export class Throttle {
  #pushedAt = -Infinity;
  #urgent = 0;
  #waited = 0;
  readonly #clock: Clock;

  /** @param clock for tests; default: the clock of the machine */
  constructor(clock: Clock = machineClock) {
    this.#clock = clock;
  }

  /** True if a client has just pushed and no caller needs the work at once. */
  get #mustPause(): boolean {
    return this.#urgent === 0 && this.isPushing;
  }

  /** True if a client has just pushed. */
  get isPushing(): boolean {
    return this.#clock.now() - this.#pushedAt < recentPush;
  }

  /** Notes that a client is pushing. */
  notePush(): void {
    this.#pushedAt = this.#clock.now();
  }

  /** Yields the same pieces, with pauses between them. The time between two pieces counts as work. */
  async *withPauses<T>(pieces: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, undefined> {
    let since = this.#clock.now();
    let isFirst = true;
    for await (const piece of pieces) {
      const perWork = this.#waited > 0 ? pausePerWaited : pausePerWork;
      if (!isFirst) await this.#pause(Math.min((this.#clock.now() - since) * perWork, longestPause));
      isFirst = false;
      since = this.#clock.now();
      yield piece;
    }
  }

  /**
   * Pauses if clients push and no caller needs the work at once. The pause is shorter if a collection waits.
   *
   * @param milliseconds below 1: no pause
   */
  async pause(milliseconds: number): Promise<void> {
    await this.#pause(this.#waited > 0 ? (milliseconds * pausePerWaited) / pausePerWork : milliseconds);
  }

  /**
   * Pauses after work that could not pause itself, so that it takes a fifth of the time while clients push.
   *
   * @param work milliseconds that it took
   */
  async rest(work: number): Promise<void> {
    const until = this.#clock.now() + Math.min(work * pausePerWaited, longestRest);
    while (this.#mustPause && this.#clock.now() < until) {
      await this.#clock.delay(Math.min(Math.max(until - this.#clock.now(), 1), recentPush));
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#mustPause && milliseconds >= 1) await this.#clock.delay(milliseconds);
  }

  /** Runs without pauses, because a caller needs the result at once. */
  async atFullSpeed<T>(run: () => Promise<T>): Promise<T> {
    this.#urgent++;
    try {
      return await run();
    } finally {
      this.#urgent--;
    }
  }

  /** Runs with shorter pauses, because a caller waits for the result: it takes at most a fifth of the time. */
  async withinShare<T>(run: () => Promise<T>): Promise<T> {
    this.#waited++;
    try {
      return await run();
    } finally {
      this.#waited--;
    }
  }
}

// A time-out for a silent peer, for all the waits of one HTTP call.
/** Limits how long each wait for the peer may take. Pauses of the own side do not count. */
export class IdleTimer {
  readonly #timer: NodeJS.Timeout;
  #since: number | undefined;

  /**
   * @param limit milliseconds that one wait may take
   * @param onExpired called once, when a wait takes longer
   */
  constructor(limit: number, onExpired: (error: Error) => void) {
    // One timer that fires at an interval is cheaper than one for each piece of a body.
    this.#timer = setInterval(
      () => {
        if (this.#since === undefined || performance.now() - this.#since < limit) return;
        this.stop();
        onExpired(new TypeError(`the server has been silent for ${limit} ms (idleTimeout)`));
      },
      Math.max(limit / 8, 1),
    );
    this.#timer.unref();
  }

  /** A wait for the peer begins. */
  startWait(): void {
    this.#since = performance.now();
  }

  /** The wait has ended: the peer sent or took something. */
  endWait(): void {
    this.#since = undefined;
  }

  /** Ends the timer for good. */
  stop(): void {
    clearInterval(this.#timer);
  }
}

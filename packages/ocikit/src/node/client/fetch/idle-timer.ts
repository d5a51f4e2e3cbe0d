/** Watches over waits for the other side, so that none takes for ever. The own side may take its time. */
export class IdleTimer {
  readonly #timer: NodeJS.Timeout;
  #since: number | undefined;

  /** @param limit milliseconds that one wait may take */
  constructor(limit: number, onExpired: (error: Error) => void) {
    // One timer that looks now and then is cheaper than one for each piece of a body.
    this.#timer = setInterval(
      () => {
        if (this.#since === undefined || performance.now() - this.#since < limit) return;
        this.stop();
        onExpired(new TypeError(`the other side has been silent for ${limit} ms`));
      },
      Math.max(limit / 8, 1),
    );
    this.#timer.unref();
  }

  startWait(): void {
    this.#since = performance.now();
  }

  endWait(): void {
    this.#since = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

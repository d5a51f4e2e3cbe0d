// The body of a request with limits on its pauses and on its rate.
import { RegistryError } from '../../../model/index.ts';

/** Limits on the pace of a body. */
export interface Pace {
  /** Milliseconds that a body may pause. The rate is measured over this much waiting, too. */
  readonly pause: number;
  /** Bytes per second. */
  readonly rate: number;
}

/** Milliseconds of waiting for a client after which its rate counts. */
const measurable = 2000;

/**
 * Passes a body on. Fails with REQUEST_TIMEOUT if it pauses for too long, or is too slow. Only the time counts in which
 * its reader waits for the client: a slow disk is not the client's fault.
 */
export class PacedBody implements AsyncIterable<Uint8Array> {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #pace: Pace;
  #iterator: AsyncIterator<Uint8Array, unknown> | undefined;
  /** One timer serves the whole body: a timer for each piece costs measurable time. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The start of the current wait, and the function that fails it. */
  #waiting: { since: number; reject: (error: unknown) => void } | undefined;
  /** Milliseconds of waiting since the last measurement ended. */
  #waited = 0;
  /** Bytes that arrived since then. */
  #received = 0;
  /** As `#waiting`, while it waits for something else than its client. */
  #heldBack: { since: number; reject: (error: unknown) => void } | undefined;
  #failure: { error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>, pace: Pace) {
    this.#body = body;
    this.#pace = pace;
  }

  /** Milliseconds since the reader began to wait for the next piece; 0 if it does not wait. */
  stalledFor(): number {
    return this.#waiting === undefined ? 0 : performance.now() - this.#waiting.since;
  }

  /** True if the client was waited for and sends less than the least rate, or if the body is held back for long. */
  get isSlow(): boolean {
    if (this.#failure !== undefined) return false;
    if (this.#heldBack !== undefined) return performance.now() - this.#heldBack.since >= measurable;
    const waited = this.#waited + this.stalledFor();
    return waited >= measurable && this.#isBelowRate(waited);
  }

  /** Waits before the next piece is read. Rejects if the body is ended meanwhile. */
  async holdBack(until: Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#heldBack = { since: performance.now(), reject };
        until.then(resolve, reject);
      });
    } finally {
      this.#heldBack = undefined;
    }
  }

  /** Ends the body with an error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    (this.#waiting ?? this.#heldBack)?.reject(error);
  }

  #isBelowRate(waited: number): boolean {
    return this.#received * 1000 < this.#pace.rate * waited;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.#iterate(this.#body);
  }

  /** Iterates pieces whose memory may be used again: each is valid only until the third piece after it is requested. */
  lent(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.#iterate(isLending(this.#body) ? this.#body.lent() : this.#body) };
  }

  #iterate(body: AsyncIterable<Uint8Array>): AsyncIterator<Uint8Array, undefined> {
    const iterator = body[Symbol.asyncIterator]();
    this.#iterator = iterator;
    return { next: () => this.#next(iterator), return: () => this.#return() };
  }

  async #next(iterator: AsyncIterator<Uint8Array, unknown>): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#timer ??= this.#startTimer(this.#pace.pause);
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      const since = performance.now();
      const result = await new Promise<IteratorResult<Uint8Array, unknown>>((resolve, reject) => {
        this.#waiting = { since, reject };
        iterator.next().then(resolve, reject);
      });
      this.#waiting = undefined;
      if (result.done === true) {
        clearTimeout(this.#timer);
        return { done: true, value: undefined };
      }
      this.#measure(performance.now() - since, result.value.length);
      return result;
    } catch (error) {
      await this.#return();
      throw error;
    }
  }

  #measure(waited: number, received: number): void {
    this.#waited += waited;
    this.#received += received;
    if (this.#waited < this.#pace.pause) return;
    if (this.#isBelowRate(this.#waited)) {
      const [seconds, rate] = [Math.round(this.#waited / 1000), this.#pace.rate];
      throw new RegistryError(
        'REQUEST_TIMEOUT',
        `the request's body is too slow: ${this.#received} bytes in ${seconds} s, at least ${rate} bytes per second are needed`,
      );
    }
    this.#waited = 0;
    this.#received = 0;
  }

  async #return(): Promise<IteratorResult<Uint8Array, undefined>> {
    clearTimeout(this.#timer);
    this.#waiting = undefined;
    // Do not await: the `return` of a generator that hangs waits for its pending `next`, which never settles.
    this.#iterator?.return?.().catch(() => undefined);
    return { done: true, value: undefined };
  }

  #startTimer(wait: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const waited = this.stalledFor();
      if (waited < this.#pace.pause) {
        this.#timer = this.#startTimer(this.#pace.pause - waited);
        return;
      }
      this.fail(new RegistryError('REQUEST_TIMEOUT', `the request's body paused for more than ${this.#pace.pause} ms`));
    }, wait);
  }
}

interface LendingBody {
  lent(): AsyncIterable<Uint8Array>;
}

function isLending(body: object): body is LendingBody {
  return 'lent' in body;
}

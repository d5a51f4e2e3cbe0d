// A time limit on the pauses of a request's body.
import { RegistryError } from '../../../model/index.ts';

/** Passes a body on. Fails with REQUEST_TIMEOUT if the reader waits this many milliseconds for the next piece. */
export function idleTimeout(body: AsyncIterable<Uint8Array>, milliseconds: number): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => new TimedIterator(body[Symbol.asyncIterator](), milliseconds) };
}

class TimedIterator implements AsyncIterator<Uint8Array, undefined> {
  readonly #iterator: AsyncIterator<Uint8Array, unknown>;
  readonly #milliseconds: number;
  /** One timer serves the whole body: a timer for each piece costs measurable time. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The start of the current wait, and the function that fails it. */
  #waiting: { since: number; reject: (error: unknown) => void } | undefined;

  constructor(iterator: AsyncIterator<Uint8Array, unknown>, milliseconds: number) {
    this.#iterator = iterator;
    this.#milliseconds = milliseconds;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#timer ??= this.#startTimer(this.#milliseconds);
    try {
      const result = await new Promise<IteratorResult<Uint8Array, unknown>>((resolve, reject) => {
        this.#waiting = { since: performance.now(), reject };
        this.#iterator.next().then(resolve, reject);
      });
      this.#waiting = undefined;
      if (result.done !== true) return result;
      clearTimeout(this.#timer);
      return { done: true, value: undefined };
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    clearTimeout(this.#timer);
    // Do not await: the `return` of a generator that hangs waits for its pending `next`, which never settles.
    this.#iterator.return?.().catch(() => undefined);
    return { done: true, value: undefined };
  }

  #startTimer(wait: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const waited = this.#waiting === undefined ? 0 : performance.now() - this.#waiting.since;
      if (waited < this.#milliseconds) {
        this.#timer = this.#startTimer(this.#milliseconds - waited);
        return;
      }
      const message = `the request's body paused for more than ${this.#milliseconds} ms`;
      this.#waiting?.reject(new RegistryError('REQUEST_TIMEOUT', message));
    }, wait);
  }
}

import { RegistryError } from '../../../model/index.ts';

/** Hands on what comes; fails with REQUEST_TIMEOUT if nothing comes for that many milliseconds. */
export function idleTimeout(body: AsyncIterable<Uint8Array>, milliseconds: number): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => new TimedIterator(body[Symbol.asyncIterator](), milliseconds) };
}

class TimedIterator implements AsyncIterator<Uint8Array, undefined> {
  readonly #iterator: AsyncIterator<Uint8Array, unknown>;
  readonly #milliseconds: number;
  /** One for the whole body: making one for each piece takes longer than it needs to. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Since when somebody waits, and how to tell them that they waited in vain. */
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
    // Not awaited: a source that hangs would keep its `return` waiting behind the `next` that never came.
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

/** @throws RegistryError CONTENT_TOO_LARGE as soon as there are more bytes than that */
export async function readBody(body: Uint8Array | AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  if (body instanceof Uint8Array) {
    if (body.length > limit) throw tooLarge(limit);
    return body;
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw tooLarge(limit);
    pieces.push(piece);
  }
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

export function tooLarge(limit: number): RegistryError {
  return new RegistryError('CONTENT_TOO_LARGE', `a manifest may have ${limit} bytes at most`, { detail: { limit } });
}

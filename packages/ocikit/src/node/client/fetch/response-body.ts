// The body of an HTTP response, as pieces that are read once.
import type { IncomingMessage } from 'node:http';

import type { IdleTimer } from './idle-timer.ts';

/** The body of a response, which can be read once. Ending the iteration early closes the connection. */
export abstract class ResponseBody implements AsyncIterableIterator<Uint8Array, undefined> {
  protected readonly message: IncomingMessage;
  readonly #idleTimer: IdleTimer;
  #begun = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;
  /** Lets the body reuse the memory of pieces that the reader has finished with. Absent: no piece is ever reused. */
  lend?(): void;

  constructor(message: IncomingMessage, idleTimer: IdleTimer) {
    this.message = message;
    this.#idleTimer = idleTimer;
    message.on('error', (error) => this.fail(connectionLost(error)));
    message.on('close', () => this.fail(connectionLost(undefined)));
  }

  /** Whether reading has begun. */
  get isBegun(): boolean {
    return this.#begun;
  }

  /** Whether all pieces have been taken. */
  protected abstract get hasEnded(): boolean;
  /** Called before the first piece is taken. */
  protected abstract begin(hasFailed: boolean): void;
  /** Takes the next piece, if it has arrived. */
  protected abstract take(): Uint8Array | undefined;
  /** Called when the reader waits for a piece that has not arrived. */
  protected abstract awaitMore(): void;
  /** Discards the pieces that are left. */
  protected abstract drop(): void;

  /** Ends the body with an error. Pieces that have arrived can still be read before it. */
  fail(error: unknown): void {
    if (this.hasEnded || this.#failure !== undefined) return;
    this.#failure = { error };
    this.settle();
    this.message.destroy();
  }

  /** Waits for the next piece. Rejects with the body's error, after the pieces that arrived before it. */
  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#begun) {
      this.#begun = true;
      this.begin(this.#failure !== undefined);
    }
    for (;;) {
      const piece = this.take();
      if (piece !== undefined) return { done: false, value: piece };
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.hasEnded) return { done: true, value: undefined };
      this.#idleTimer.startWait();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.awaitMore();
      });
      this.#idleTimer.endWait();
    }
  }

  /** Ends the iteration early and closes the connection. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.fail(new TypeError('the reader ended before the body did'));
    // A later call of next() reports the end, and no error.
    this.drop();
    this.#failure = undefined;
    return { done: true, value: undefined };
  }

  /** Decodes pieces of this body. The code for that is loaded for the first body that needs it. */
  async *decode(encoding: string, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const { decodeBody } = await import('./decode-body.ts');
    yield* decodeBody(encoding, pieces);
  }

  /** Makes the body usable in `for await`. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Wakes a waiting reader, as a piece, the end or an error has arrived. */
  protected settle(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** The error of a body whose connection ended before the body did. */
export function connectionLost(cause: Error | undefined): TypeError {
  return new TypeError('the connection ended in the middle of the body', { cause });
}

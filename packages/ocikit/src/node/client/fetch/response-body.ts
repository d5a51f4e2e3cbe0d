import type { IncomingMessage } from 'node:http';

import type { IdleTimer } from './idle-timer.ts';

/** The body of an answer. It is read once. Leaving the iteration ends the connection. */
export abstract class ResponseBody implements AsyncIterableIterator<Uint8Array, undefined> {
  protected readonly message: IncomingMessage;
  readonly #idleTimer: IdleTimer;
  #begun = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;
  lend?(): void;

  constructor(message: IncomingMessage, idleTimer: IdleTimer) {
    this.message = message;
    this.#idleTimer = idleTimer;
    message.on('error', (error) => this.fail(connectionLost(error)));
    message.on('close', () => this.fail(connectionLost(undefined)));
  }

  /** Whether somebody reads it. */
  get isBegun(): boolean {
    return this.#begun;
  }

  /** Whether nothing more is to come. */
  protected abstract get hasEnded(): boolean;
  /** Called before the first piece is taken. */
  protected abstract begin(hasFailed: boolean): void;
  /** The next piece, if it has come. */
  protected abstract take(): Uint8Array | undefined;
  /** Called when somebody waits for more. */
  protected abstract awaitMore(): void;
  /** Nobody wants what is left. */
  protected abstract drop(): void;

  /** Nothing more comes, and this is why. What came is still read first. */
  fail(error: unknown): void {
    if (this.hasEnded || this.#failure !== undefined) return;
    this.#failure = { error };
    this.settle();
    this.message.destroy();
  }

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

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.fail(new TypeError('nobody wanted the rest of the body'));
    // Whoever asks again is told that there is nothing more.
    this.drop();
    this.#failure = undefined;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Something has changed for whoever waits. */
  protected settle(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

export function connectionLost(cause: Error | undefined): TypeError {
  return new TypeError('the connection ended in the middle of the body', { cause });
}

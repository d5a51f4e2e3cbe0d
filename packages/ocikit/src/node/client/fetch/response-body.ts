import type { IncomingMessage } from 'node:http';

import type { StandStill } from './idle-timer.ts';

/** Bytes that may wait to be read before the connection is held up. */
const ahead = 2 * 1024 * 1024;

/** The body of an answer. It is read once. Leaving the iteration ends the connection. */
export abstract class AnswerBody implements AsyncIterableIterator<Uint8Array, undefined> {
  protected readonly message: IncomingMessage;
  readonly #standStill: StandStill;
  #begun = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;
  lend?(): void;

  constructor(message: IncomingMessage, standStill: StandStill) {
    this.message = message;
    this.#standStill = standStill;
    message.on('error', (error) => this.fail(cutOff(error)));
    message.on('close', () => this.fail(cutOff(undefined)));
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
      this.#standStill.begin();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.awaitMore();
      });
      this.#standStill.end();
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

/** A body in the pieces in which the HTTP parser hands it on, none of them copied again. */
export class MessageBody extends AnswerBody {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #ended = false;

  constructor(message: IncomingMessage, standStill: StandStill) {
    super(message, standStill);
    message.on('end', () => {
      this.#ended = true;
      this.settle();
    });
  }

  protected override get hasEnded(): boolean {
    return this.#ended;
  }

  protected override begin(hasFailed: boolean): void {
    if (this.#ended || hasFailed) return;
    this.message.on('data', (piece: Uint8Array) => {
      this.#pieces.push(piece);
      this.#size += piece.length;
      if (this.#size >= ahead) this.message.pause();
      this.settle();
    });
  }

  protected override take(): Uint8Array | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#size -= piece.length;
    if (this.#size === 0 && this.message.isPaused()) this.message.resume();
    return piece;
  }

  protected override awaitMore(): void {
    // It comes by itself.
  }

  protected override drop(): void {
    this.#pieces.length = 0;
    this.#ended = true;
  }
}

export function cutOff(cause: Error | undefined): TypeError {
  return new TypeError('the connection ended in the middle of the body', { cause });
}

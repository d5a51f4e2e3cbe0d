import type { IncomingMessage } from 'node:http';

import type { RawBytes } from '../http/client/index.ts';

import type { StandStill } from './stand-still.ts';

/** Bytes that may wait to be read before the connection is held up. */
const ahead = 2 * 1024 * 1024;

/** The body of an answer. It is read once. Leaving the iteration ends the connection. */
export interface AnswerBody extends AsyncIterableIterator<Uint8Array, undefined> {
  /** Whether somebody reads it. */
  readonly isBegun: boolean;
  /** Nothing more comes, and this is why. What came is still read first. */
  fail(error: unknown): void;
  return(): Promise<IteratorResult<Uint8Array, undefined>>;
  lend?: RawBytes['lend'];
}

/** A body in the pieces in which the HTTP parser hands it on, none of them copied again. */
export class MessageBody implements AnswerBody {
  readonly #message: IncomingMessage;
  readonly #standStill: StandStill;
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #begun = false;
  #ended = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(message: IncomingMessage, standStill: StandStill) {
    this.#message = message;
    this.#standStill = standStill;
    message.on('end', () => {
      this.#ended = true;
      this.#settle();
    });
    message.on('error', (error) => this.fail(cutOff(error)));
    message.on('close', () => this.fail(cutOff(undefined)));
  }

  get isBegun(): boolean {
    return this.#begun;
  }

  fail(error: unknown): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = { error };
    this.#settle();
    this.#message.destroy();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#begin();
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#size -= piece.length;
        if (this.#size === 0 && this.#message.isPaused()) this.#message.resume();
        return { done: false, value: piece };
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return { done: true, value: undefined };
      this.#standStill.begin();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#standStill.end();
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#pieces.length = 0;
    this.fail(new TypeError('nobody wanted the rest of the body'));
    // Whoever asks again is told that there is nothing more.
    this.#ended = true;
    this.#failure = undefined;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    if (this.#ended || this.#failure !== undefined) return;
    this.#message.on('data', (piece: Uint8Array) => {
      this.#pieces.push(piece);
      this.#size += piece.length;
      if (this.#size >= ahead) this.#message.pause();
      this.#settle();
    });
  }

  #settle(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

export function cutOff(cause: Error | undefined): TypeError {
  return new TypeError('the connection ended in the middle of the body', { cause });
}

// A response's body, as Node's HTTP parser delivers it.
import type { IncomingMessage } from 'node:http';

import type { IdleTimer } from './idle-timer.ts';
import { ResponseBody } from './response-body.ts';

/** Bytes that may wait for the reader before the socket is paused. */
const ahead = 2 * 1024 * 1024;

/** A body in the pieces that the HTTP parser delivers. None of them is copied again. */
export class ParserBody extends ResponseBody {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #ended = false;

  constructor(message: IncomingMessage, idleTimer: IdleTimer) {
    super(message, idleTimer);
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
    // The parser delivers pieces without being asked.
  }

  protected override drop(): void {
    this.#pieces.length = 0;
    this.#ended = true;
  }
}

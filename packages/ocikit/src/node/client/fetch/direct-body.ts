import type { IncomingMessage } from 'node:http';

import { readDirectly } from './direct-read-socket.ts';
import type { DirectReceiver } from './direct-read-socket.ts';
import type { IdleTimer } from './idle-timer.ts';
import { ResponseBody } from './response-body.ts';

/** Pieces that are good at the same time. */
const lentAtOnce = 3;

/**
 * Bytes that are read at a time: where pieces are copied, and where they are lent, by the only body that does so or by one of several. The
 * larger they are, the fewer times other threads have to be woken for them.
 */
const bufferSize = { kept: 64 * 1024, lent: 2 * 1024 * 1024, lentBySeveral: 1024 * 1024 };

/** Bodies that lend their pieces now. */
let lending = 0;

/**
 * The body of a large answer whose length is known, read off a plain connection without the HTTP parser, which would copy each piece
 * into memory of its own. The connection ends with it, as the parser still waits for the body.
 */
export class DirectBody extends ResponseBody implements DirectReceiver {
  /** Bytes that have not been handed on. */
  #left: number;
  /** Of the beginning, what came with the head, and so through the parser. */
  #parsed: Uint8Array | undefined;
  /** What was read and not handed on: one piece, but for the rare case in which Node goes on reading by itself. */
  readonly #read: Filled[] = [];
  readonly #free: Uint8Array[] = [];
  /** Buffers whose bytes were handed on and are still good: the last three. */
  readonly #lent: Uint8Array[] = [];
  #lends = false;

  /** @param size its Content-Length */
  constructor(message: IncomingMessage, size: number, idleTimer: IdleTimer) {
    super(message, idleTimer);
    this.#left = size;
    readDirectly(message.socket, this);
  }

  protected override get hasEnded(): boolean {
    return this.#left === 0;
  }

  override lend(): void {
    this.#lends = true;
    this.#free.length = 0;
    // Of one that has been closed nothing says any more that it is.
    if (this.message.closed) return;
    lending += 1;
    this.message.once('close', () => (lending -= 1));
  }

  nextBuffer(): Uint8Array {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (!this.#lends) return new Uint8Array(bufferSize.kept);
    // It can be given to other threads. From such memory copying is slow.
    return new Uint8Array(new SharedArrayBuffer(lending === 1 ? bufferSize.lent : bufferSize.lentBySeveral));
  }

  received(count: number, buffer: Uint8Array): boolean {
    this.#read.push({ count, buffer });
    this.settle();
    return false;
  }

  protected override begin(hasFailed: boolean): void {
    if (hasFailed) {
      // What the parser had may be gone, and what came after it must not take its place.
      this.#read.length = 0;
      return;
    }
    this.#parsed = (this.message.read() as Uint8Array | null) ?? undefined;
  }

  protected override awaitMore(): void {
    this.message.socket.resume();
  }

  protected override drop(): void {
    this.#left = 0;
  }

  protected override take(): Uint8Array | undefined {
    if (this.#left === 0) return undefined;
    const piece = this.#parsed?.subarray(0, this.#left) ?? this.#nextRead();
    this.#parsed = undefined;
    if (piece === undefined) return undefined;
    this.#left -= piece.length;
    if (this.#left === 0) this.message.destroy();
    return piece;
  }

  #nextRead(): Uint8Array | undefined {
    const read = this.#read.shift();
    if (read === undefined) return undefined;
    const { count, buffer } = read;
    const piece = buffer.subarray(0, Math.min(count, this.#left));
    if (!this.#lends) {
      this.#free.push(buffer);
      return piece.slice();
    }
    if (buffer.buffer instanceof SharedArrayBuffer) this.#lent.push(buffer);
    if (this.#lent.length > lentAtOnce) this.#free.push(...this.#lent.splice(0, 1));
    return piece;
  }
}

/** A buffer, and how many bytes were read into it. */
interface Filled {
  readonly count: number;
  readonly buffer: Uint8Array;
}

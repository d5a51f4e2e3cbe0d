// A large response's body, read from the socket past Node's HTTP parser.
import type { IncomingMessage } from 'node:http';

import { readDirectly } from './direct-read-socket.ts';
import type { DirectReceiver } from './direct-read-socket.ts';
import type { IdleTimer } from './idle-timer.ts';
import { ResponseBody } from './response-body.ts';

/** How many lent pieces stay valid at the same time. */
const lentAtOnce = 3;

/**
 * Bytes per read: if pieces are copied, if this is the only body that lends pieces, and if several do. Larger pieces
 * wake other threads less often.
 */
const bufferSize = { copied: 64 * 1024, lent: 2 * 1024 * 1024, lentBySeveral: 1024 * 1024 };

/** The number of open bodies that lend their pieces. */
let lending = 0;

/**
 * The body of a large response of known length, read from an unencrypted connection past the HTTP parser. The parser
 * would copy each piece into newly allocated memory. The connection is closed after the body, as the parser still
 * waits for it.
 */
export class DirectBody extends ResponseBody implements DirectReceiver {
  /** Bytes that the reader has not taken yet. */
  #left: number;
  /** The body's first bytes, if they arrived together with the headers and so went through the parser. */
  #parsed: Uint8Array | undefined;
  /** Buffers that were read and not taken yet: at most one, except when Node reads on by itself, which is rare. */
  readonly #read: Filled[] = [];
  readonly #free: Uint8Array[] = [];
  /** Lent buffers that the reader may still use: the last three. */
  readonly #lent: Uint8Array[] = [];
  #lends = false;

  /** @param size the response's Content-Length */
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
    // A closed message emits no further `close`: do not count it as lending.
    if (this.message.closed) return;
    lending += 1;
    this.message.once('close', () => (lending -= 1));
  }

  /** Gives the buffer for the next read. */
  nextBuffer(): Uint8Array {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (!this.#lends) return new Uint8Array(bufferSize.copied);
    // Lent pieces may go to other threads, so they are shared memory. Copying out of shared memory would be slow.
    return new Uint8Array(new SharedArrayBuffer(lending === 1 ? bufferSize.lent : bufferSize.lentBySeveral));
  }

  /** Notes a filled buffer. The socket pauses until the reader wants more. */
  received(count: number, buffer: Uint8Array): boolean {
    this.#read.push({ count, buffer });
    this.settle();
    return false;
  }

  protected override begin(hasFailed: boolean): void {
    if (hasFailed) {
      // The parser may have lost its bytes. Later bytes must not be taken for them.
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

// A large response's body, read from the socket past Node's HTTP parser.
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

import { readDirectly } from './direct-read-socket.ts';
import type { DirectReceiver } from './direct-read-socket.ts';
import type { IdleTimer } from './idle-timer.ts';
import { ResponseBody } from './response-body.ts';

/** How many lent pieces stay valid at the same time. */
const lentAtOnce = 3;

/**
 * Bytes of a buffer: if pieces are copied, if small reads are gathered and not lent, if this is the only body that
 * lends pieces, and if several do. Larger pieces wake other threads less often.
 */
const bufferSize = { copied: 64 * 1024, gathered: 256 * 1024, lent: 2 * 1024 * 1024, lentBySeveral: 1024 * 1024 };

/** The number of open bodies that lend their pieces. */
let lending = 0;

/** Pieces that may wait for the reader while small reads are gathered. */
const mostWaiting = 2;

/**
 * The body of a large response of known length, read past the HTTP parser. The parser would copy each piece into newly
 * allocated memory. The connection is closed after the body, as the parser still waits for it.
 *
 * Each read of a TLS connection gives one record. All records of one turn of the event loop become one piece, as each
 * piece costs its reader much more than a record costs here.
 */
export class DirectBody extends ResponseBody implements DirectReceiver {
  /** Bytes that the reader has not taken yet. */
  #left: number;
  /** The body's first bytes, if they arrived together with the headers and so went through the parser. */
  #parsed: Uint8Array | undefined;
  /** Pieces that were read and not taken yet: few, except when Node reads on by itself, which is rare. */
  readonly #read: Piece[] = [];
  readonly #free: Uint8Array[] = [];
  /** Lent pieces that the reader may still use: the last three. */
  readonly #lent: Piece[] = [];
  #lends = false;
  /** True if reads are small and become pieces together. */
  readonly #gathers: boolean;
  /** The buffer that small reads are gathered in. Bytes up to `from` were passed on as pieces. */
  #gathered: { readonly buffer: Uint8Array; from: number; to: number } | undefined;
  #willPass = false;

  /** @param size the response's Content-Length */
  constructor(message: IncomingMessage, size: number, idleTimer: IdleTimer) {
    super(message, idleTimer);
    this.#left = size;
    this.#gathers = message.socket instanceof TLSSocket;
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
    if (this.#gathered !== undefined) return this.#gathered.buffer.subarray(this.#gathered.to);
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (!this.#lends && this.#gathers) return new Uint8Array(Buffer.allocUnsafeSlow(bufferSize.gathered).buffer);
    if (!this.#lends) return new Uint8Array(bufferSize.copied);
    // Lent pieces may go to other threads, so they are shared memory. Copying out of shared memory would be slow.
    return new Uint8Array(new SharedArrayBuffer(lending === 1 ? bufferSize.lent : bufferSize.lentBySeveral));
  }

  /** Notes bytes that were read. The socket pauses until the reader wants more. */
  received(count: number, buffer: Uint8Array): boolean {
    if (this.#gathers) return this.#gather(count, buffer);
    this.#read.push({ bytes: buffer.subarray(0, count), buffer });
    this.settle();
    return false;
  }

  #gather(count: number, buffer: Uint8Array): boolean {
    const gathered = (this.#gathered ??= { buffer, from: 0, to: 0 });
    gathered.to += count;
    if (gathered.to === gathered.buffer.length) {
      this.#passOn();
      return this.#read.length < mostWaiting;
    }
    if (!this.#willPass) {
      this.#willPass = true;
      setImmediate(this.#endTurn);
    }
    return true;
  }

  readonly #endTurn = (): void => {
    this.#willPass = false;
    this.#passOn();
    if (this.#read.length >= mostWaiting) this.message.socket.pause();
  };

  /** Makes a piece of what was gathered. */
  #passOn(): void {
    if (this.#gathered === undefined) return;
    const { buffer, from, to } = this.#gathered;
    const isFull = to === buffer.length;
    if (isFull) this.#gathered = undefined;
    else this.#gathered.from = to;
    if (to === from) return;
    this.#read.push({ bytes: buffer.subarray(from, to), buffer: isFull ? buffer : undefined });
    this.settle();
  }

  protected override begin(hasFailed: boolean): void {
    if (hasFailed) {
      // The parser may have lost its bytes. Later bytes must not be taken for them.
      this.#read.length = 0;
      if (this.#gathered !== undefined) this.#gathered.from = this.#gathered.to;
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
    // Nothing follows on a closed connection: do not wait for the end of the turn.
    if (this.#read.length === 0 && this.message.destroyed) this.#passOn();
    const read = this.#read.shift();
    if (read === undefined) return undefined;
    const { bytes, buffer } = read;
    const piece = bytes.subarray(0, this.#left);
    if (!this.#lends) {
      // The memory of gathered bytes is the reader's from now on.
      if (this.#gathers) return piece;
      if (buffer !== undefined) this.#free.push(buffer);
      return piece.slice();
    }
    if (bytes.buffer instanceof SharedArrayBuffer) this.#lent.push(read);
    if (this.#lent.length > lentAtOnce) {
      const unused = this.#lent.shift()?.buffer;
      if (unused !== undefined) this.#free.push(unused);
    }
    return piece;
  }
}

/** Bytes that were read. */
interface Piece {
  readonly bytes: Uint8Array;
  /** The buffer that they are in, if they are the last ones in it: it can then be used again after them. */
  readonly buffer: Uint8Array | undefined;
}

// The body of a request, as an iterable that is faster than Node's own.
import type { ByteBudget } from '../../shared/index.ts';

import { BodyMemory, isNext, isShared } from './body-memory.ts';
import { queuedConnections, receivingTurns } from './receiving-turns.ts';
import type { Receiver } from './receiving-turns.ts';
import { SharedPieces } from './shared-pieces.ts';

/**
 * Bytes that may wait in memory for the reader. Beyond that the connection is paused, and the client has to wait. If
 * memory is scarce, nothing is read ahead.
 */
const mostQueued = 2 * 1024 * 1024;
/** As {@link mostQueued}, while many bodies arrive. */
const mostQueuedOfMany = 256 * 1024;
/** Bytes up to which waiting pieces are joined into one. */
const largestPiece = 1024 * 1024;
/** Bytes from which a piece is lent, if its reader allows that. */
const smallestLent = 128 * 1024;
/** Bytes of a body that come before its first lent piece: small bodies need no memory that is used again. */
const beforeLent = 4 * 1024 * 1024;

/** The part of Node's `IncomingMessage` that its body needs, so that the fast path can have bodies too. */
export interface BodyStream {
  /** True once `end` has been emitted. */
  readonly readableEnded: boolean;
  /** True once no more bytes can come. */
  readonly destroyed: boolean;
  /** The connection, if it waited for its turn before the stream began. */
  readonly socket?: object;
  /** True if the stream can read into memory that its reader gives. */
  readonly readsDirectly?: boolean;
  /** The error that ended the stream. */
  readonly errored: Error | null;
  /** Adds a listener for `data`, `end`, `error` or `close`. */
  on(event: string, listener: (piece: Buffer) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (piece: Buffer) => void): unknown;
  /** Stops reading. */
  pause(): unknown;
  /** Reads on. Events follow later, never during the call. */
  resume(): unknown;
  /** Reads into this memory from now on, if the stream {@link readsDirectly reads directly}. */
  readInto?(memory: BodyMemory): void;
}

/**
 * The body of a request, to be read once. Stopping early leaves the connection open, so that the server can still
 * answer.
 *
 * Node's own iterator costs more than reading a small blob. It also gives one piece of at most 64 KiB at a time, though
 * much more may have arrived while the last piece was written to disk.
 */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #request: BodyStream;
  readonly #budget: ByteBudget;

  /** @param budget is charged with the bytes that are received and not read yet */
  constructor(request: BodyStream, budget: ByteBudget) {
    this.#request = request;
    this.#budget = budget;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return new BodyIterator(this.#request, this.#budget, false);
  }

  /**
   * Iterates pieces whose memory is used again, and may be shared. A piece is valid only until the third piece after it
   * is requested.
   */
  lent(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => new BodyIterator(this.#request, this.#budget, true) };
  }
}

interface Waiting {
  resolve: (result: IteratorResult<Uint8Array, undefined>) => void;
  reject: (error: unknown) => void;
}

class BodyIterator implements AsyncIterator<Uint8Array, undefined> {
  readonly #request: BodyStream;
  readonly #budget: ByteBudget;
  readonly #mayLend: boolean;
  #shared: SharedPieces | undefined;
  /** The memory that the connection reads into. */
  #memory: BodyMemory | undefined;
  #willAnswer = false;
  #queue: Buffer[] = [];
  /** Bytes in the queue. */
  #queued = 0;
  /** Bytes that the reader has taken. */
  #taken = 0;
  /** Bytes of the piece that the reader has. */
  #lent = 0;
  /** True if the reader has to take some of the queue first, or memory is scarce. */
  #isFull = false;
  /** True if the body may be received in this turn of the event loop. */
  #hasTurn = true;
  readonly #receiver: Receiver = {
    pause: () => this.#endTurn(),
    resume: () => {
      this.#hasTurn = true;
      if (!this.#isFull && this.#state === 'reading') this.#request.resume();
    },
  };
  #waiting: Waiting | undefined;
  #state: 'new' | 'reading' | 'ended' | 'failed' | 'left' = 'new';
  #error: unknown;

  constructor(request: BodyStream, budget: ByteBudget, mayLend: boolean) {
    this.#request = request;
    this.#budget = budget;
    this.#mayLend = mayLend;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#state === 'new') this.#begin();
    this.#takeBack();
    if (this.#queued > 0) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#state === 'failed') return Promise.reject(this.#error);
    if (this.#state !== 'reading') return Promise.resolve({ done: true, value: undefined });
    this.#resume();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** The reader is done with its piece. */
  #takeBack(): void {
    if (this.#lent === 0) return;
    this.#budget.release(this.#lent);
    this.#lent = 0;
  }

  #resume(): void {
    if (!this.#isFull || this.#state !== 'reading') return;
    this.#isFull = false;
    this.#hasTurn = receivingTurns.enter(this.#receiver);
    if (this.#hasTurn) this.#request.resume();
  }

  #endTurn(): void {
    this.#hasTurn = false;
    this.#request.pause();
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#state === 'reading') {
      this.#detach();
      this.#request.pause();
    }
    this.#state = 'left';
    this.#forget();
    this.#answer({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  #forget(): void {
    this.#takeBack();
    this.#budget.release(this.#queued);
    this.#queue = [];
    this.#queued = 0;
  }

  #begin(): void {
    const request = this.#request;
    if (request.readableEnded) {
      this.#state = 'ended';
    } else if (request.destroyed) {
      this.#fail(request.errored ?? cutOff());
    } else {
      this.#state = 'reading';
      if (request.readsDirectly === true) {
        this.#memory = new BodyMemory(this.#mayLend);
        request.readInto?.(this.#memory);
      }
      request.on('data', this.#onData);
      request.on('end', this.#onEnd);
      request.on('error', this.#onError);
      request.on('close', this.#onClose);
      const { socket } = request;
      const before = socket === undefined ? undefined : queuedConnections.get(socket);
      if (!receivingTurns.enter(this.#receiver, before)) this.#endTurn();
      else request.resume();
    }
  }

  #detach(): void {
    this.#shared?.close();
    this.#memory?.close();
    const request = this.#request;
    receivingTurns.leave(this.#receiver);
    request.off('data', this.#onData);
    request.off('end', this.#onEnd);
    request.off('close', this.#onClose);
    // Keep a listener for later errors: without one an error would end the process.
    request.off('error', this.#onError);
    request.on('error', ignore);
  }

  readonly #onData = (piece: Buffer): void => {
    const { length } = piece;
    this.#budget.charge(length);
    if (this.#waiting !== undefined && this.#memory === undefined) {
      this.#lent = length;
      this.#answer({ done: false, value: piece });
    } else {
      this.#enqueue(piece);
      if (this.#waiting !== undefined) this.#answerLater();
    }
    const most = receivingTurns.isCrowded ? mostQueuedOfMany : mostQueued;
    if (this.#queued >= most || this.#budget.isScarce) {
      this.#isFull = true;
      this.#request.pause();
    }
    if (!receivingTurns.count(this.#receiver, length)) this.#endTurn();
  };

  #enqueue(piece: Buffer): void {
    const { length } = piece;
    this.#queued += length;
    const before = this.#queue.at(-1);
    if (before === undefined || !isNext(before, piece) || before.length + length > largestPiece)
      this.#queue.push(piece);
    else this.#queue[this.#queue.length - 1] = Buffer.from(piece.buffer, before.byteOffset, before.length + length);
  }

  /** Answers at the end of this turn: one read gives little, and a piece costs its reader more than a read. */
  #answerLater(): void {
    if (this.#queued >= largestPiece) this.#answerWithQueue();
    if (this.#willAnswer || this.#waiting === undefined) return;
    this.#willAnswer = true;
    setImmediate(this.#answerWithQueue);
  }

  readonly #answerWithQueue = (): void => {
    this.#willAnswer = false;
    if (this.#waiting !== undefined && this.#queued > 0) this.#answer({ done: false, value: this.#take() });
  };

  readonly #onEnd = (): void => {
    this.#detach();
    this.#state = 'ended';
    this.#answerWithQueue();
    this.#answer({ done: true, value: undefined });
  };

  readonly #onError = (error: unknown): void => this.#fail(error);

  readonly #onClose = (): void => this.#fail(this.#request.errored ?? cutOff());

  #fail(error: unknown): void {
    if (this.#state === 'reading') this.#detach();
    this.#state = 'failed';
    this.#error = error;
    // The bytes that have arrived come first.
    this.#answerWithQueue();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }

  #answer(result: IteratorResult<Uint8Array, undefined>): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(result);
  }

  #take(): Uint8Array {
    const pieces: Buffer[] = [];
    let size = 0;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const isLendable = this.#memory !== undefined && isShared(next.buffer);
      if (size > 0 && (isLendable || size + next.length > largestPiece)) break;
      pieces.push(next);
      size += next.length;
      this.#queue.shift();
      if (isLendable) break;
    }
    this.#queued -= size;
    this.#lent = size;
    if (!this.#budget.isScarce) this.#resume();
    this.#taken += size;
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1) {
      this.#memory?.lend(only);
      return only;
    }
    return this.#sharedFor(size)?.join(pieces, size) ?? Buffer.concat(pieces, size);
  }

  /** The shared memory for a piece; undefined if the piece needs memory of its own. */
  #sharedFor(size: number): SharedPieces | undefined {
    if (!this.#mayLend || this.#memory !== undefined) return undefined;
    if (size < smallestLent || this.#taken < beforeLent) return undefined;
    if (this.#shared === undefined && this.#state === 'reading') this.#shared = SharedPieces.open();
    return this.#shared;
  }
}

function ignore(): void {
  // The reader has its result already.
}

function cutOff(): Error {
  return new Error('the connection ended before the end of the request body');
}

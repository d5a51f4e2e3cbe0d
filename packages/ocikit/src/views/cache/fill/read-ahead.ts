// Reads content ahead, up to a limit, and joins its pieces into large parts.
import type { BlobContent } from '../../../model/index.ts';

import { Waiters } from './waiters.ts';

/** Bytes of a part. Many small pieces would each be written on their own, to the store and to every reader. */
const partSize = 1024 * 1024;
/** Parts that are read ahead at most. More bytes arrive while the last ones are being stored. */
const most = 2;
/** Milliseconds to wait for a whole part. */
const patience = 10;

/** Reads content ahead, and gives the bytes that have arrived in large parts. */
export class ReadAhead {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #partSize: number;
  /** Whole parts. */
  readonly #waiting: Uint8Array[] = [];
  /** The part that is being filled: the source uses the memory of its pieces again. */
  #part: Uint8Array | undefined;
  #filled = 0;
  #end: 'end' | { error: unknown } | undefined;
  readonly #came = new Waiters();
  readonly #taken = new Waiters();

  constructor(source: BlobContent) {
    this.#pieces = source.lent()[Symbol.asyncIterator]();
    const { start, end } = source.range;
    this.#partSize = Math.max(Math.min(partSize, end - start), 1);
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      while (!this.#isOver()) {
        const next = await this.#pieces.next();
        if (next.done === true) {
          this.#end ??= 'end';
          break;
        }
        if (this.#isOver()) break;
        this.#add(next.value);
        this.#came.wake();
        while (this.#waiting.length >= most && !this.#isOver()) await this.#taken.next();
      }
    } catch (error) {
      this.#end ??= { error };
    }
    this.#came.wake();
  }

  #isOver(): boolean {
    return this.#end !== undefined;
  }

  #add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      this.#part ??= new Uint8Array(this.#partSize);
      const count = Math.min(piece.length - at, this.#part.length - this.#filled);
      this.#part.set(piece.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < this.#part.length) return;
      this.#waiting.push(this.#part);
      this.#part = undefined;
      this.#filled = 0;
    }
  }

  async #wholePart(): Promise<void> {
    const until = performance.now() + patience;
    const timer = setTimeout(() => this.#came.wake(), patience + 1);
    while (this.#waiting.length === 0 && !this.#isOver() && performance.now() < until) await this.#came.next();
    clearTimeout(timer);
  }

  /**
   * The next bytes, in memory of their own; undefined at the end. Rejects with the source's error after its last byte.
   */
  async take(): Promise<Uint8Array | undefined> {
    while (this.#waiting.length === 0 && this.#filled === 0) {
      if (this.#end === 'end') return undefined;
      if (this.#end !== undefined) throw this.#end.error;
      await this.#came.next();
    }
    if (this.#waiting.length === 0) await this.#wholePart();
    const whole = this.#waiting.shift();
    this.#taken.wake();
    if (whole !== undefined) return whole;
    const few = this.#part?.slice(0, this.#filled);
    this.#filled = 0;
    return few;
  }

  /** Stops reading. {@link ReadAhead.take} rejects with this error, also while it waits. */
  leave(error: unknown): void {
    this.#end ??= { error };
    this.#waiting.length = 0;
    this.#filled = 0;
    this.#came.wake();
    this.#taken.wake();
    // Do not wait: a source that hangs never answers.
    this.#pieces.return?.().catch(() => undefined);
  }
}

// Reads a source ahead, up to a limit, and joins its pieces into large parts.
import { Waiters } from './waiters.ts';

/** Bytes that are read ahead at most. More bytes arrive while the last ones are being stored. */
const most = 2 * 1024 * 1024;
/** Bytes that are worth one step of storing. */
const enough = 1024 * 1024;
/** Milliseconds to wait for that many bytes. */
const patience = 10;

/** Reads a source ahead, and gives the bytes that have arrived in large parts. */
export class ReadAhead {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #end: 'end' | { error: unknown } | undefined;
  readonly #came = new Waiters();
  readonly #taken = new Waiters();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]();
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      while (this.#end === undefined) {
        const next = await this.#pieces.next();
        if (next.done === true) {
          this.#end ??= 'end';
          break;
        }
        this.#waiting.push(next.value);
        this.#size += next.value.length;
        this.#came.wake();
        await this.#roomForMore();
      }
    } catch (error) {
      this.#end ??= { error };
    }
    this.#came.wake();
  }

  async #roomForMore(): Promise<void> {
    while (this.#size >= most && this.#end === undefined) await this.#taken.next();
  }

  async #enough(): Promise<void> {
    const until = performance.now() + patience;
    const timer = setTimeout(() => this.#came.wake(), patience + 1);
    while (this.#size < enough && this.#end === undefined && performance.now() < until) await this.#came.next();
    clearTimeout(timer);
  }

  /**
   * The pieces that have arrived, at least one; undefined at the end. Rejects with the source's error after its last
   * piece.
   */
  async take(): Promise<Uint8Array[] | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#end === 'end') return undefined;
      if (this.#end !== undefined) throw this.#end.error;
      await this.#came.next();
    }
    await this.#enough();
    const taken = this.#waiting;
    this.#waiting = [];
    this.#size = 0;
    this.#taken.wake();
    return taken;
  }

  /** Stops reading. {@link ReadAhead.take} rejects with this error, also while it waits. */
  leave(error: unknown): void {
    this.#end ??= { error };
    this.#waiting = [];
    this.#came.wake();
    this.#taken.wake();
    // Do not wait: a source that hangs never answers.
    this.#pieces.return?.().catch(() => undefined);
  }
}

import { Waiters } from './waiters.ts';

/** Bytes that may wait: while some are being stored, more come in. */
const most = 2 * 1024 * 1024;
/** Bytes that are worth storing, and telling readers of, in one step; */
const enough = 1024 * 1024;
/** and the milliseconds for which it is waited for more. */
const patience = 10;

/** Reads a source no further ahead than that, and gives what has come in as large parts as there are. */
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

  /** What has come, at least one piece; undefined at the end. Rejects with what the source fails with, after what came before. */
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

  /** Nothing more is wanted: {@link ReadAhead.take} rejects with this, also while it waits. */
  leave(error: unknown): void {
    this.#end ??= { error };
    this.#waiting = [];
    this.#came.wake();
    this.#taken.wake();
    // A source that hangs would never say that it has been left.
    this.#pieces.return?.().catch(() => undefined);
  }
}

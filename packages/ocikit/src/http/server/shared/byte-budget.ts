// The memory for received bytes: charged as they arrive, and shared fairly when it gets scarce.
import { RegistryError } from '../../../model/index.ts';

/** Milliseconds without a byte after which a body no longer counts as large as it was announced. */
const stallTime = 1000;
/** Milliseconds without a byte after which a body gives its memory up if another one needs it. */
const mostStalled = 2000;
/** As {@link mostStalled}, if no other body needs the memory, but much of it is in use. */
const mostStalledAlone = 15_000;
/** Milliseconds that a body waits for memory before it is answered 429. */
const patience = 10_000;
/** Milliseconds between looks at stalled bodies, while much memory is in use. */
const interval = 250;

/** A body that is collected in memory, as a budget sees it. */
export interface Collected {
  /** The bytes that it will have at most. */
  readonly announced: number;
  /** Milliseconds since its last byte, if the server waits for its client; else 0. */
  stalledFor(): number;
  /** Ends it with an error. */
  fail(error: unknown): void;
}

/** The memory of one collected body. */
export interface Held {
  /**
   * Waits until there is room for the whole body, unless stalled bodies go on.
   *
   * @returns undefined if it need not wait
   */
  begin(): Promise<void> | undefined;
  /**
   * Charges bytes that have arrived. Read no more of the body as long as this waits: so the client waits too.
   *
   * @returns undefined if it need not wait
   */
  add(count: number): Promise<void> | undefined;
  /** Gives all of it back, and ends waiting. */
  release(): void;
}

interface Holder {
  readonly body: Collected;
  /** Bytes that are charged for it. */
  size: number;
}

interface Waiting {
  readonly holder: Holder;
  /** Bytes to charge; undefined for a body that begins. */
  readonly count: number | undefined;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly resolve: () => void;
}

/**
 * A budget of bytes that were received and not stored yet. It is charged with the bytes that have arrived, not with
 * those that were announced: announcing costs a client nothing.
 *
 * Large bodies share one half of the budget. The other half is for small bodies and for bytes on their way to a store:
 * those never wait, as their number and their size are limited.
 */
export class ByteBudget {
  readonly #half: number;
  #used = 0;
  readonly #holders = new Set<Holder>();
  /** Bodies that wait for memory, in the order of their arrival. */
  readonly #waiting = new Set<Waiting>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#half = limit / 2;
  }

  /** Bytes that are charged. */
  get used(): number {
    return this.#used;
  }

  /** True if no body should be read ahead of its reader. */
  get isScarce(): boolean {
    return this.#used > this.#half;
  }

  /** Charges bytes that have arrived already. */
  charge(count: number): void {
    this.#used += count;
  }

  /** Gives charged bytes back. */
  release(count: number): void {
    this.#used -= count;
    if (this.#waiting.size > 0) this.#admit();
  }

  /** Memory for a large body. Waiting for it rejects with TOOMANYREQUESTS after 10 s. */
  hold(body: Collected): Held {
    const holder: Holder = { body, size: 0 };
    return {
      begin: () => {
        if (this.#waiting.size > 0 || !this.#hasRoomFor(holder)) return this.#wait(holder, undefined);
        this.#holders.add(holder);
        return undefined;
      },
      add: (count) => {
        if (!this.#fits(holder, count)) return this.#wait(holder, count);
        this.#add(holder, count);
        return undefined;
      },
      release: () => {
        this.#holders.delete(holder);
        for (const waiting of this.#waiting) if (waiting.holder === holder) this.#leave(waiting);
        this.release(holder.size);
        holder.size = 0;
      },
    };
  }

  #add(holder: Holder, count: number): void {
    holder.size += count;
    this.charge(count);
    if (this.#isMuch) this.#watch();
  }

  /** True if there will be room for a whole new body, unless stalled ones go on. */
  #hasRoomFor({ body }: Holder): boolean {
    if (this.#holders.size === 0) return true;
    let expected = this.#used + body.announced;
    for (const holder of this.#holders) {
      if (holder.body.stalledFor() < stallTime) expected += Math.max(holder.body.announced - holder.size, 0);
    }
    return expected <= this.#half;
  }

  /** True if more bytes of a body fit. The oldest body may exceed the budget, so that one of them always moves. */
  #fits(holder: Holder, count: number): boolean {
    const [oldest] = this.#holders;
    return holder === oldest || this.#used + count <= this.#half;
  }

  #wait(holder: Holder, count: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#leave(waiting);
        reject(
          new RegistryError('TOOMANYREQUESTS', 'the server has no memory for this body now: try again later', {
            retryAfter: 5,
          }),
        );
      }, patience);
      const waiting: Waiting = { holder, count, timer, resolve };
      this.#waiting.add(waiting);
      this.#watch();
    });
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      this.#endStalled();
      this.#admit();
      if (this.#waiting.size > 0 || this.#isMuch) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    }, interval);
    // The connections keep the process running. In browsers, a timer is a number and has no unref().
    if (typeof this.#timer === 'object') this.#timer.unref();
  }

  /** True if so much memory is in use that stalled bodies have to give theirs back. */
  get #isMuch(): boolean {
    return this.#used > this.#half / 4;
  }

  #leave(waiting: Waiting): void {
    clearTimeout(waiting.timer);
    this.#waiting.delete(waiting);
  }

  /** Lets bodies go on that fit now: first those that have begun. */
  #admit(): void {
    let isFull = false;
    for (const waiting of this.#waiting) {
      const { holder, count, resolve } = waiting;
      if (count === undefined) continue;
      if (!this.#fits(holder, count)) {
        isFull = true;
        continue;
      }
      this.#leave(waiting);
      this.#add(holder, count);
      resolve();
    }
    if (isFull) return;
    for (const waiting of this.#waiting) {
      if (!this.#hasRoomFor(waiting.holder)) return;
      this.#leave(waiting);
      this.#holders.add(waiting.holder);
      waiting.resolve();
    }
  }

  /** Ends bodies that stall while others need their memory, the largest first. */
  #endStalled(): void {
    let needed = this.#used - this.#half;
    for (const { holder } of this.#waiting) needed += Math.max(holder.body.announced - holder.size, 0);
    const most = this.#waiting.size > 0 ? mostStalled : mostStalledAlone;
    if (this.#waiting.size === 0) needed = this.#used - this.#half / 4;
    const stalled = [...this.#holders].filter(({ body, size }) => size > 0 && body.stalledFor() >= most);
    for (const holder of stalled.toSorted((a, b) => b.size - a.size)) {
      if (needed <= 0) return;
      needed -= holder.size;
      holder.body.fail(
        new RegistryError('REQUEST_TIMEOUT', 'the body paused while the server needed its memory: try again later'),
      );
    }
  }
}

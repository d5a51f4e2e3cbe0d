// All bodies that a server is receiving: how many, how fast, and with how much memory.
import { onAbort, RegistryError } from '../../../model/index.ts';
import { BufferedBody } from '../shared/index.ts';
import type { ByteBudget, Exchange, Held, ResolvedLimits } from '../shared/index.ts';

import { clientAddressOf } from './client-address.ts';
import { bodyTooLarge, collect } from './collected-body.ts';
import { PacedBody } from './paced-body.ts';

/** The body of a request while the server receives it. */
export interface ReceivedBody {
  /** Its bytes, to be read once. Reading fails with REQUEST_TIMEOUT if the client is too slow. */
  readonly source: Uint8Array | AsyncIterable<Uint8Array>;
  /**
   * Collects it in memory, which is charged to the server's budget until the request is answered.
   *
   * @param limit in bytes
   * @throws RegistryError CONTENT_TOO_LARGE as soon as the body exceeds the limit; TOOMANYREQUESTS without memory
   */
  whole(limit: number): Promise<Uint8Array>;
}

/** Milliseconds that a request waits for its turn before it is answered 429. */
const patience = 4000;
/** Milliseconds between looks for slow bodies. */
const interval = 250;
/** The part of all bodies that may be slow at the same time. The rest is kept for other clients. */
const slowPart = 3 / 4;
/** Bytes of a body up to which it need not wait for memory. */
const smallBody = 64 * 1024;
const noBytes = new Uint8Array(0);

/** The bodies that a server is receiving. */
export class Receiving {
  readonly #limits: ResolvedLimits;
  readonly #budget: ByteBudget;
  readonly #mostSlow: number;
  /** Number of bodies. */
  #count = 0;
  /** The bodies that have not arrived as a whole, the oldest first. */
  readonly #bodies = new Set<PacedBody>();
  /** Number of bodies by client address, as far as that is known. */
  readonly #byAddress = new Map<string, number>();
  /** Functions that let requests go on which wait for their turn. */
  readonly #waiting = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(limits: ResolvedLimits, budget: ByteBudget) {
    this.#limits = limits;
    this.#budget = budget;
    this.#mostSlow = Math.ceil(limits.concurrentUploads * slowPart);
  }

  /**
   * Runs a function that reads the body of a request. If too many bodies arrive already, it waits for a few seconds: a
   * slow body may have to give way.
   *
   * @param length bytes of the body; undefined if they are not known
   * @throws RegistryError TOOMANYREQUESTS
   */
  async receive<T>(
    exchange: Exchange,
    length: number | undefined,
    read: (body: ReceivedBody) => Promise<T>,
  ): Promise<T> {
    if (this.#count < this.#limits.concurrentUploads && this.#waiting.size === 0) this.#count++;
    else await this.#turn(exchange.signal);
    const { body } = exchange;
    try {
      if (body === undefined) return await read(bufferedBody(noBytes));
      if (body instanceof BufferedBody) return await read(bufferedBody(body.bytes));
      return await this.#receivePaced(exchange, body, length, read);
    } finally {
      this.#count--;
      if (this.#waiting.size > 0) this.#letGo();
    }
  }

  async #receivePaced<T>(
    exchange: Exchange,
    source: AsyncIterable<Uint8Array>,
    length: number | undefined,
    read: (body: ReceivedBody) => Promise<T>,
  ): Promise<T> {
    const leave = this.#enter(clientAddressOf(exchange));
    const body = new PacedBody(source, { pause: this.#limits.bodyTimeout, rate: this.#limits.bodyRate });
    let held: Held | undefined;
    this.#bodies.add(body);
    if (this.#count > this.#mostSlow) this.#watch();
    try {
      return await read({
        source: body,
        whole: (limit) => {
          held = this.#hold(body, Math.min(length ?? limit, limit));
          return collect(body, limit, length ?? limit, held);
        },
      });
    } finally {
      this.#bodies.delete(body);
      held?.release();
      leave();
    }
  }

  /** Memory for a body. A small one does not wait for it. */
  #hold(body: PacedBody, announced: number): Held {
    if (announced > smallBody) {
      return this.#budget.hold({
        announced,
        stalledFor: () => body.stalledFor(),
        fail: (error) => body.fail(error),
      });
    }
    let size = 0;
    return {
      begin: () => undefined,
      add: (count) => {
        size += count;
        this.#budget.charge(count);
        return undefined;
      },
      release: () => {
        this.#budget.release(size);
        size = 0;
      },
    };
  }

  /** Counts a body for its client's address. Returns the function that ends this. */
  #enter(address: string | undefined): () => void {
    if (address === undefined) return () => undefined;
    const before = this.#byAddress.get(address) ?? 0;
    if (before >= this.#limits.uploadsPerAddress) {
      throw new RegistryError(
        'TOOMANYREQUESTS',
        `the server is receiving ${before} uploads from ${address}, its limit for one address; try again later`,
        { retryAfter: 1 },
      );
    }
    this.#byAddress.set(address, before + 1);
    return () => {
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    };
  }

  /** Waits until there is room for one more body. */
  #turn(signal: AbortSignal): Promise<void> {
    const limit = this.#limits.concurrentUploads;
    const refusal = new RegistryError(
      'TOOMANYREQUESTS',
      `the server is receiving ${this.#count} uploads, its limit; try again later`,
      { retryAfter: 1 },
    );
    // With so few bodies none gives way to another one. And the bytes that waiting requests sent take memory.
    if (this.#mostSlow === limit || this.#waiting.size >= limit / 2) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        forget();
        this.#waiting.delete(go);
      };
      const go = (): void => {
        end();
        this.#count++;
        resolve();
      };
      const timer = setTimeout(() => {
        end();
        reject(refusal);
      }, patience);
      const forget = onAbort(signal, () => {
        end();
        reject(signal.reason);
      });
      this.#waiting.add(go);
      this.#watch();
    });
  }

  #letGo(): void {
    for (const go of this.#waiting) {
      if (this.#count >= this.#limits.concurrentUploads) return;
      go();
    }
  }

  /** Looks for slow bodies from time to time, as long as there is little room. */
  #watch(): void {
    this.#timer ??= setInterval(() => {
      this.#endSlow();
      if (this.#count > this.#mostSlow || this.#waiting.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    }, interval);
  }

  /** Ends slow bodies if there are too many of them, the oldest first. */
  #endSlow(): void {
    const slow = [...this.#bodies].filter((body) => body.isSlow);
    for (const body of slow.slice(0, Math.max(slow.length - this.#mostSlow, 0))) {
      body.fail(
        new RegistryError(
          'REQUEST_TIMEOUT',
          `the request's body is too slow for a server that is busy: send at least ${this.#limits.bodyRate} bytes per second`,
        ),
      );
    }
  }
}

function bufferedBody(bytes: Uint8Array): ReceivedBody {
  return {
    source: bytes,
    async whole(limit) {
      if (bytes.length > limit) throw bodyTooLarge(limit);
      return bytes;
    },
  };
}

import { RegistryError, untilAborted } from '../../../model/index.ts';
import { rawBody, lengthIn } from '../../wire/index.ts';
import type { RawBody, RawBytes } from '../../wire/index.ts';

import { concat } from './bytes.ts';
import { redactUrl } from './errors.ts';

/** An answer to a request. It holds a connection until its body has been read or discarded, or 30 s have passed unread. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /**
   * The body as it comes; once. Leaving the iteration ends the connection. A cut connection throws; nothing is tried again here.
   *
   * @param how `lent`: each piece is good only until the third after it is asked for
   */
  body(how?: 'lent'): AsyncIterable<Uint8Array>;
  /** All of it. Rejects with CONTENT_TOO_LARGE if there are more bytes than that. */
  bytes(limit: number): Promise<Uint8Array>;
  /** A JSON document of at most so many bytes. Rejects with UNKNOWN if it is none. */
  json(limit: number): Promise<unknown>;
  /** Nobody wants the body, or no more of it: a short rest is read, so that the connection can be used again. */
  discard(): Promise<void>;
}

export interface FetchedAnswerOptions {
  method: string;
  url: URL;
  response: Response & RawBody;
  signal: AbortSignal | undefined;
  /** Called once, when the connection is free again. */
  onEnd: () => void;
  /**
   * Called when nobody has wanted bytes for a while: others need not wait for it any more. Else whoever opens more contents than
   * there may be requests, and reads them one after another or by turns, would wait for ever.
   */
  onIdle?: (() => void) | undefined;
  /** Makes the error for a body that was cut. */
  cut: (cause: unknown) => Error;
}

/** Milliseconds after which an answer that nobody reads lets go of its connection. */
const unreadFor = 30_000;

/** Milliseconds after which an answer that nobody reads does not keep others from their turn. */
const idleFor = 500;

/** Milliseconds for the body of an error to come. */
const beginningWithin = 5000;

/** Bytes that are rather read than given up with their connection. */
const shortRest = 64 * 1024;

/** An answer that came through `fetch`. */
export class FetchedAnswer implements Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly url: URL;
  readonly #options: FetchedAnswerOptions;
  /** Bytes that ought to come, if the answer says so. */
  readonly #announced: number | undefined;
  readonly #raw: RawBytes | undefined;
  readonly #pieces: AsyncIterator<Uint8Array> | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #idleTimer: ReturnType<typeof setInterval> | undefined;
  /** Since when nobody has wanted bytes; undefined while they are waited for. */
  #idleSince: number | undefined = Date.now();
  #state: 'unread' | 'reading' | 'discarded' | 'ended' = 'unread';

  constructor(options: FetchedAnswerOptions) {
    const { method, url, response, signal } = options;
    this.#options = options;
    this.status = response.status;
    this.headers = response.headers;
    this.url = url;
    this.#raw = response[rawBody];
    const body = this.#raw ?? response.body;
    this.#announced = method === 'HEAD' || body === null ? 0 : announcedLength(response);
    if (body !== null) this.#pieces = iteratorOf(body);
    if (this.#announced === 0) {
      this.#end();
      return;
    }
    signal?.addEventListener('abort', this.#letGo);
    this.#timer = setTimeout(this.#letGo, unreadFor);
    this.#idleTimer = setInterval(this.#lookWhetherIdle, idleFor);
    // A program need not wait for them.
    if (typeof this.#timer === 'object') this.#timer.unref();
    if (typeof this.#idleTimer === 'object') this.#idleTimer.unref();
  }

  readonly #lookWhetherIdle = (): void => {
    if (this.#idleSince === undefined || Date.now() - this.#idleSince < idleFor) return;
    clearInterval(this.#idleTimer);
    this.#options.onIdle?.();
  };

  async *body(how?: 'lent'): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, cut } = this.#options;
    const pieces = this.#begin();
    if (how === 'lent') this.#raw?.lend?.();
    let count = 0;
    try {
      if (pieces === undefined) return;
      for await (const piece of untilAborted({ [Symbol.asyncIterator]: () => pieces }, signal)) {
        count += piece.length;
        this.#idleSince = Date.now();
        yield piece;
        this.#idleSince = undefined;
      }
      signal?.throwIfAborted();
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw cut(error);
    } finally {
      if (this.#state === 'reading') this.#end();
    }
    if (this.#announced !== undefined && count < this.#announced) {
      throw cut(new Error(`${count} of ${this.#announced} bytes came`));
    }
  }

  #begin(): AsyncIterator<Uint8Array> | undefined {
    if (this.#state === 'discarded' || this.#state === 'reading') {
      throw new TypeError('the answer has been read or discarded');
    }
    if (this.#state === 'ended') return undefined;
    this.#state = 'reading';
    this.#idleSince = undefined;
    this.#stopWaiting();
    return this.#pieces;
  }

  async bytes(limit: number): Promise<Uint8Array> {
    const tooLarge = (): RegistryError =>
      new RegistryError('CONTENT_TOO_LARGE', `the answer of ${redactUrl(this.url)} is longer than ${limit} bytes`);
    if (this.#announced !== undefined && this.#announced > limit) {
      await this.discard();
      throw tooLarge();
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of this.body()) {
      size += piece.length;
      if (size > limit) throw tooLarge();
      pieces.push(piece);
    }
    return concat(pieces);
  }

  async json(limit: number): Promise<unknown> {
    const bytes = await this.bytes(limit);
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    } catch (cause) {
      throw new RegistryError('UNKNOWN', `the answer of ${redactUrl(this.url)} is not JSON`, { cause });
    }
  }

  /** Its first bytes, for an error that quotes them. What is wrong with the rest does not matter. */
  async beginning(limit: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    const timer = setTimeout(this.#letGo, beginningWithin);
    try {
      for await (const piece of this.body()) {
        const kept = piece.subarray(0, limit - size);
        size += kept.length;
        pieces.push(kept);
        if (size === limit) break;
      }
    } catch {
      this.#options.signal?.throwIfAborted();
    } finally {
      clearTimeout(timer);
    }
    return concat(pieces);
  }

  async discard(): Promise<void> {
    if (this.#state === 'unread' && this.#announced !== undefined && this.#announced <= shortRest) {
      // What is wrong with a body that nobody wants does not matter.
      await this.bytes(shortRest).catch(() => undefined);
      return;
    }
    this.#letGo();
  }

  readonly #letGo = (): void => {
    if (this.#state === 'ended' || this.#state === 'discarded') return;
    this.#end();
    this.#state = 'discarded';
  };

  #end(): void {
    this.#state = 'ended';
    clearInterval(this.#idleTimer);
    this.#stopWaiting();
    // The end of a connection may take its time, and nobody waits for it.
    this.#pieces?.return?.().catch(() => undefined);
    this.#options.onEnd();
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#letGo);
  }
}

function announcedLength(response: Response): number | undefined {
  return [204, 205, 304].includes(response.status) ? 0 : lengthIn(response);
}

/** Lets go of an answer that nobody looks at. */
export async function discardBody(response: Response & RawBody): Promise<void> {
  const body = response[rawBody] ?? response.body;
  if (body !== null) await iteratorOf(body).return?.();
}

/** Unlike a stream's own iterator, it can be left while it waits; and not every browser has one. */
function iteratorOf(body: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): AsyncIterator<Uint8Array> {
  if (!('getReader' in body)) return body[Symbol.asyncIterator]();
  const reader = body.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done, value };
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

// A response to a request of the client, and its body.
import { onAbort, RegistryError, untilAborted } from '../../../model/index.ts';
import { encodingsIn, lengthIn, rawBody } from '../../wire/index.ts';
import type { RawBody, RawBytes } from '../../wire/index.ts';

import { concat } from './bytes.ts';
import { redactUrl } from './errors.ts';

/** A response. It holds a connection until its body has been read or discarded, or 30 s have passed unread. */
export interface ClientResponse {
  /** The status code. */
  readonly status: number;
  /** The headers. */
  readonly headers: Headers;
  /** The URL that the response came from, after redirects. */
  readonly url: URL;
  /**
   * The body as it comes; it can be read once. Leaving the iteration ends the connection. A cut connection throws; it
   * is not tried again here.
   *
   * @param how `lent`: each piece is valid only until the third piece after it is requested
   */
  body(how?: 'lent'): AsyncIterable<Uint8Array>;
  /** Whether {@link body} decodes what has come: then {@link sentBody} is something else. */
  readonly isEncoded: boolean;
  /** The body as it was sent, in place of {@link body}. */
  sentBody(how?: 'lent'): AsyncIterable<Uint8Array>;
  /** Decodes pieces of {@link sentBody}. */
  decoded(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** The whole body. Rejects with CONTENT_TOO_LARGE if it has more than `limit` bytes. */
  bytes(limit: number): Promise<Uint8Array>;
  /** The body as a JSON document of at most `limit` bytes. Rejects with UNKNOWN if it is none. */
  json(limit: number): Promise<unknown>;
  /** Drops the body, or the rest of it. A short rest is read, so that the connection can be used again. */
  discard(): Promise<void>;
}

/** Makes errors about responses. */
export interface ResponseFaults {
  /** The error for a response that a registry must not give. It is never tried again, and `explain` knows it. */
  wrongResponse(response: ClientResponse, what: string): Error;
}

/** A response of `fetch`, and what is to happen with its connection. */
export interface FetchedResponseOptions {
  /** The method of the request: the response to a HEAD has no body. */
  method: string;
  /** The URL that the response came from. */
  url: URL;
  /** The response itself. */
  response: Response & RawBody;
  /** Ends the reading of the body. */
  signal: AbortSignal | undefined;
  /** Called once, when the connection is free again. */
  onEnd: () => void;
  /**
   * Called when no bytes have been read for half a second: other requests need not wait for this one any longer.
   * Otherwise a caller would wait for ever that opens more contents than requests may run, and reads them one after
   * another or by turns.
   */
  onIdle?: (() => void) | undefined;
  /** Makes the error for a body that was cut. */
  cut: (cause: unknown) => Error;
}

/** Milliseconds after which an unread response releases its connection. */
const unreadFor = 30_000;

/** Milliseconds after which an unread response no longer keeps other requests from their turn. */
const idleFor = 500;

/** Milliseconds within which the body of an error has to come. */
const beginningWithin = 5000;

/** Bytes up to which a rest is read rather than given up with its connection. */
const shortRest = 64 * 1024;

/** A response that came through `fetch`. */
export class FetchedResponse implements ClientResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly url: URL;
  readonly #options: FetchedResponseOptions;
  /** Bytes that have to come, if the response says how many. */
  readonly #announced: number | undefined;
  readonly #raw: RawBytes | undefined;
  readonly #encodings: readonly string[];
  readonly #pieces: AsyncIterator<Uint8Array> | undefined;
  /** Stops listening to the signal of the call. */
  readonly #forget: (() => void) | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #idleTimer: ReturnType<typeof setInterval> | undefined;
  /** Since when the reader has not asked for bytes; undefined while it waits for some. */
  #idleSince: number | undefined = Date.now();
  #state: 'unread' | 'reading' | 'discarded' | 'ended' = 'unread';

  constructor(options: FetchedResponseOptions) {
    const { method, url, response, signal } = options;
    this.#options = options;
    this.status = response.status;
    this.headers = response.headers;
    this.url = url;
    this.#raw = response[rawBody];
    this.#encodings = this.#raw?.decode === undefined ? [] : encodingsIn(response);
    const body = this.#raw ?? response.body;
    this.#announced = method === 'HEAD' || body === null ? 0 : announcedLength(response);
    if (body !== null) this.#pieces = iteratorOf(body);
    if (this.#announced === 0) {
      this.#end();
      return;
    }
    if (signal !== undefined) this.#forget = onAbort(signal, this.#release);
    this.#timer = setTimeout(this.#release, unreadFor);
    this.#idleTimer = setInterval(this.#checkIdle, idleFor);
    // A program need not wait for these timers before it ends.
    if (typeof this.#timer === 'object') this.#timer.unref();
    if (typeof this.#idleTimer === 'object') this.#idleTimer.unref();
  }

  readonly #checkIdle = (): void => {
    if (this.#idleSince === undefined || Date.now() - this.#idleSince < idleFor) return;
    clearInterval(this.#idleTimer);
    this.#options.onIdle?.();
  };

  get isEncoded(): boolean {
    return this.#encodings.length > 0;
  }

  body(how?: 'lent'): AsyncIterable<Uint8Array> {
    return this.isEncoded ? this.decoded(this.sentBody()) : this.sentBody(how);
  }

  decoded(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return this.#encodings.reduceRight((encoded, one) => this.#raw?.decode?.(one, encoded) ?? encoded, pieces);
  }

  async *sentBody(how?: 'lent'): AsyncGenerator<Uint8Array, void, undefined> {
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

  /** The first bytes, for an error that quotes them. A fault in the rest is ignored. */
  async beginning(limit: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    const timer = setTimeout(this.#release, beginningWithin);
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
      // The body is not wanted, so a fault in it is ignored.
      await this.bytes(shortRest).catch(() => undefined);
      return;
    }
    this.#release();
  }

  readonly #release = (): void => {
    if (this.#state === 'ended' || this.#state === 'discarded') return;
    this.#end();
    this.#state = 'discarded';
  };

  #end(): void {
    this.#state = 'ended';
    clearInterval(this.#idleTimer);
    this.#stopWaiting();
    // The end of a connection may take its time; it is not waited for.
    this.#pieces?.return?.().catch(() => undefined);
    this.#options.onEnd();
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#forget?.();
  }
}

function announcedLength(response: Response): number | undefined {
  return [204, 205, 304].includes(response.status) ? 0 : lengthIn(response);
}

/** Releases the connection of a response whose body is not wanted. */
export async function discardBody(response: Response & RawBody): Promise<void> {
  const body = response[rawBody] ?? response.body;
  if (body !== null) await iteratorOf(body).return?.();
}

/** An iterator that can be ended while it waits, unlike a stream's own one, which not every browser has. */
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

// The body of a request: its forms, and sending it piece by piece.
import type { ClientRequest } from 'node:http';

import { readSource } from '../../../model/index.ts';

import type { IdleTimer } from './idle-timer.ts';

/**
 * Bytes that may wait in the socket's queue when the next piece is written. TLS copies all waiting bytes into one
 * piece, so with TLS none should wait. Fetching the next piece while one is sent is enough.
 */
const ahead = { 'http:': 1024 * 1024, 'https:': 0 };

/** The body of a request. */
export interface RequestContent {
  /** The body. A `Uint8Array` can be sent again. Undefined: no body. */
  content: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** The body's bytes, if known. */
  size?: number | undefined;
  /** The Content-Type to send if the caller gives none. */
  type?: string | undefined;
}

/** Reads a body in any form that `fetch` takes, or an AsyncIterable of bytes. */
export async function contentOf(body: unknown): Promise<RequestContent> {
  if (body === undefined || body === null) return { content: undefined };
  if (body instanceof Uint8Array) return { content: body, size: body.length };
  if (ArrayBuffer.isView(body)) return atHand(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  if (body instanceof ReadableStream) return { content: readSource(body as ReadableStream<Uint8Array>) };
  if (body instanceof Blob) return { content: readSource(body), size: body.size, type: body.type };
  if (typeof body === 'object' && Symbol.asyncIterator in body) return { content: body as AsyncIterable<Uint8Array> };
  // Let Response encode texts, parameters and forms.
  const response = new Response(body as BodyInit);
  return { ...atHand(new Uint8Array(await response.arrayBuffer())), type: response.headers.get('content-type') ?? '' };
}

function atHand(content: Uint8Array): RequestContent {
  return { content, size: content.length };
}

/** Sends a body piece by piece. */
export class BodySender {
  readonly #request: ClientRequest;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #size: number | undefined;
  readonly #idleTimer: IdleTimer;
  readonly #ahead: number;
  #sent = 0;
  #stopped = false;

  /** @param size the Content-Length, if there is one */
  constructor(
    request: ClientRequest,
    pieces: AsyncIterable<Uint8Array>,
    size: number | undefined,
    idleTimer: IdleTimer,
  ) {
    this.#request = request;
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#size = size;
    this.#idleTimer = idleTimer;
    this.#ahead = request.protocol === 'https:' ? ahead['https:'] : ahead['http:'];
  }

  /** Whether bytes of the body are still to be sent. */
  get isUnderWay(): boolean {
    return !this.#stopped && !this.#request.writableEnded && this.#sent !== this.#size;
  }

  /** Resolves when all bytes are written, or sending was stopped. Rejects with the source's own error. */
  async send(): Promise<void> {
    const request = this.#request;
    for (;;) {
      const next = await this.#pieces.next();
      if (this.#stopped) return;
      if (next.done === true) break;
      this.#sent += next.value.length;
      if (this.#size !== undefined && this.#sent > this.#size) throw this.#wrongSize('more');
      if (request.writableNeedDrain && request.writableLength > this.#ahead) await this.#waitForDrain();
      request.write(next.value);
    }
    if (this.#size !== undefined && this.#sent < this.#size) throw this.#wrongSize('fewer');
    request.end();
    this.#idleTimer.startWait();
  }

  /** Stops sending, and ends the source's iteration. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    // Do not wait for the source: it may hang. Its error does not matter any more.
    this.#pieces.return?.().catch(() => undefined);
  }

  async #waitForDrain(): Promise<void> {
    this.#idleTimer.startWait();
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#request.removeListener('drain', settle);
        this.#request.removeListener('close', settle);
        resolve();
      };
      this.#request.on('drain', settle);
      this.#request.on('close', settle);
    });
    this.#idleTimer.endWait();
  }

  #wrongSize(than: string): TypeError {
    return new TypeError(`the request's body has ${than} bytes than the ${this.#size} of its Content-Length`);
  }
}

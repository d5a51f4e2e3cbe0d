import type { ClientRequest } from 'node:http';

import { readSource } from '../../../model/index.ts';

import type { IdleTimer } from './idle-timer.ts';

/**
 * Bytes that may wait to be sent when more are handed over. TLS copies what waits into one piece, so there nothing should:
 * the next piece is fetched while the last one is sent, and that is enough.
 */
const ahead = { 'http:': 1024 * 1024, 'https:': 0 };

/** What a request sends. */
export interface RequestContent {
  /** Bytes at hand can be sent again. */
  content: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** Bytes, if they are known. */
  size?: number | undefined;
  /** The Content-Type that goes with it if nobody says another one. */
  type?: string | undefined;
}

/** Everything that `fetch` takes as a body, and AsyncIterables of bytes. */
export async function contentOf(body: unknown): Promise<RequestContent> {
  if (body === undefined || body === null) return { content: undefined };
  if (body instanceof Uint8Array) return { content: body, size: body.length };
  if (ArrayBuffer.isView(body)) return atHand(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  if (body instanceof ReadableStream) return { content: readSource(body as ReadableStream<Uint8Array>) };
  if (body instanceof Blob) return { content: readSource(body), size: body.size, type: body.type };
  if (typeof body === 'object' && Symbol.asyncIterator in body) return { content: body as AsyncIterable<Uint8Array> };
  // What texts, parameters and forms look like, Response knows.
  const response = new Response(body as BodyInit);
  return { ...atHand(new Uint8Array(await response.arrayBuffer())), type: response.headers.get('content-type') ?? '' };
}

function atHand(content: Uint8Array): RequestContent {
  return { content, size: content.length };
}

/** Sends a body that comes piece by piece. */
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

  /** Whether bytes are missing that were announced, or may come. */
  get isUnderWay(): boolean {
    return !this.#stopped && !this.#request.writableEnded && this.#sent !== this.#size;
  }

  /** Resolves when all is handed over, or it was stopped. Rejects with the source's own error. */
  async send(): Promise<void> {
    const request = this.#request;
    for (;;) {
      const next = await this.#pieces.next();
      if (this.#stopped) return;
      if (next.done === true) break;
      this.#sent += next.value.length;
      if (this.#size !== undefined && this.#sent > this.#size) throw this.#wrongSize('more');
      if (request.writableNeedDrain && request.writableLength > this.#ahead) await this.#room();
      request.write(next.value);
    }
    if (this.#size !== undefined && this.#sent < this.#size) throw this.#wrongSize('fewer');
    request.end();
    this.#idleTimer.startWait();
  }

  /** Nobody wants the rest: leaves the source. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    // A source that hangs would never say that it has been left, and how it takes it matters to nobody.
    this.#pieces.return?.().catch(() => undefined);
  }

  async #room(): Promise<void> {
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
    return new TypeError(`the body has ${than} bytes than the ${this.#size} of its Content-Length`);
  }
}

import type { ClientRequest, IncomingMessage } from 'node:http';

import { DirectBody } from './direct-body.ts';
import { canReadDirectly } from './direct-read-socket.ts';
import { IdleTimer } from './idle-timer.ts';
import { ParserBody } from './parser-body.ts';
import { BodySender } from './request-body.ts';
import type { RequestContent } from './request-body.ts';
import type { ResponseBody } from './response-body.ts';

/** Bytes of a body from which on it is worth a connection of its own. */
const large = 1024 * 1024;

/** Methods whose effect is the same if a request arrives twice. RFC 9110, section 9.2.2. */
const idempotent: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);

/** A request and its answer. */
export class HttpCall {
  readonly #request: ClientRequest;
  readonly #body: RequestContent;
  readonly #idleTimer: IdleTimer;
  #sender: BodySender | undefined;
  #message: IncomingMessage | undefined;
  #answer: ResponseBody | undefined;
  #failure: { error: unknown; isOfConnection: boolean } | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #release: (() => void) | undefined;

  constructor(request: ClientRequest, body: RequestContent, idleTimeout: number) {
    this.#request = request;
    this.#body = body;
    this.#idleTimer = new IdleTimer(idleTimeout, (error) => this.fail(error));
  }

  /** The body of the answer. */
  get answer(): ResponseBody | undefined {
    return this.#answer;
  }

  /** True if a kept connection had ended before the request came. RFC 9112, section 9.3.1. */
  mayBeRepeated(method: string): boolean {
    const { content } = this.#body;
    return (
      this.#failure?.isOfConnection === true &&
      this.#request.reusedSocket &&
      this.#message === undefined &&
      idempotent.has(method) &&
      (content === undefined || content instanceof Uint8Array)
    );
  }

  run(signal: AbortSignal | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.#request;
      this.#reject = reject;
      if (signal !== undefined) {
        const onAbort = (): void => this.fail(signal.reason);
        signal.addEventListener('abort', onAbort);
        this.#release = () => signal.removeEventListener('abort', onAbort);
      }
      request.on('error', (error: NodeJS.ErrnoException) => {
        const isOfConnection = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        this.fail(new TypeError(`fetch failed: ${reasonOf(error)}`, { cause: error }), isOfConnection);
      });
      request.on('close', () => {
        this.#idleTimer.stop();
        this.#sender?.stop();
        this.#release?.();
      });
      request.on('response', (message) => {
        this.#receive(message);
        resolve(message);
      });
      this.#send();
    });
  }

  /** Ends it, wherever it is. */
  fail(error: unknown, isOfConnection: boolean = false): void {
    this.#failure ??= { error, isOfConnection };
    this.#sender?.stop();
    this.#reject?.(error);
    this.#answer?.fail(error);
    this.#request.destroy();
  }

  #send(): void {
    const { content } = this.#body;
    const length = this.#request.getHeader('content-length');
    if (content === undefined || content instanceof Uint8Array) {
      // Buffers are written without a copy, and all at once.
      this.#request.end(content);
      this.#idleTimer.startWait();
      return;
    }
    const size = length === undefined ? undefined : Number(length);
    this.#sender = new BodySender(this.#request, content, size, this.#idleTimer);
    this.#sender.send().catch((error: unknown) => this.fail(error));
  }

  #receive(message: IncomingMessage): void {
    this.#message = message;
    this.#idleTimer.endWait();
    const { statusCode = 0 } = message;
    // An answer that refuses the request does not wait for the rest of it.
    if (statusCode >= 300 && this.#sender?.isUnderWay === true) {
      this.#sender.stop();
      message.once('close', () => this.#request.destroy());
      message.once('end', () => this.#request.destroy());
    }
    if (hasNoBody(this.#request.method, message)) message.resume();
    else this.#answer = bodyOf(message, this.#idleTimer);
  }
}

function bodyOf(message: IncomingMessage, idleTimer: IdleTimer): ResponseBody {
  const { headers, socket } = message;
  // Chunks are the parser's.
  const size = headers['transfer-encoding'] === undefined ? Number(headers['content-length']) : 0;
  return size >= large && canReadDirectly(socket)
    ? new DirectBody(message, size, idleTimer)
    : new ParserBody(message, idleTimer);
}

function reasonOf(error: NodeJS.ErrnoException): string {
  // When several addresses were tried there is no message.
  return error.message === '' ? (error.code ?? error.name) : error.message;
}

function hasNoBody(method: string, { statusCode = 0, headers }: IncomingMessage): boolean {
  return method === 'HEAD' || [204, 205, 304].includes(statusCode) || headers['content-length'] === '0';
}

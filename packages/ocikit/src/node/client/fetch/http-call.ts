// One HTTP request and its response, with time-outs and cancellation.
import type { ClientRequest, IncomingMessage } from 'node:http';

import { onAbort } from '../../../model/index.ts';

import { DirectBody } from './direct-body.ts';
import { canReadDirectly } from './direct-read-socket.ts';
import { IdleTimer } from './idle-timer.ts';
import { ParserBody } from './parser-body.ts';
import { BodySender } from './request-body.ts';
import type { RequestContent } from './request-body.ts';
import type { ResponseBody } from './response-body.ts';

/** Bytes of a response's body from which on it is read directly, which costs the connection. */
const large = 1024 * 1024;

/** Methods whose requests may arrive twice without harm. RFC 9110, section 9.2.2. */
const idempotent: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);

/** A request and its response. */
export class HttpCall {
  readonly #request: ClientRequest;
  readonly #requestBody: RequestContent;
  readonly #idleTimer: IdleTimer;
  #sender: BodySender | undefined;
  #message: IncomingMessage | undefined;
  #responseBody: ResponseBody | undefined;
  #failure: { error: unknown; isOfConnection: boolean } | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #release: (() => void) | undefined;

  constructor(request: ClientRequest, body: RequestContent, idleTimeout: number) {
    this.#request = request;
    this.#requestBody = body;
    this.#idleTimer = new IdleTimer(idleTimeout, (error) => this.fail(error));
  }

  /** The response's body; undefined if it has none, or has not arrived. */
  get body(): ResponseBody | undefined {
    return this.#responseBody;
  }

  /**
   * Whether the request failed because the server had closed the kept connection before the request came, and may be
   * sent again. RFC 9112, section 9.3.1.
   */
  mayBeRepeated(method: string): boolean {
    const { content } = this.#requestBody;
    return (
      this.#failure?.isOfConnection === true &&
      this.#request.reusedSocket &&
      this.#message === undefined &&
      idempotent.has(method) &&
      (content === undefined || content instanceof Uint8Array)
    );
  }

  /** Sends the request. Resolves when the response's headers have arrived. */
  run(signal: AbortSignal | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.#request;
      this.#reject = reject;
      if (signal !== undefined) {
        this.#release = onAbort(signal, () => this.fail(signal.reason));
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

  /** Ends the call with an error, in any state. */
  fail(error: unknown, isOfConnection: boolean = false): void {
    this.#failure ??= { error, isOfConnection };
    this.#sender?.stop();
    this.#reject?.(error);
    this.#responseBody?.fail(error);
    this.#request.destroy();
  }

  #send(): void {
    const { content } = this.#requestBody;
    const length = this.#request.getHeader('content-length');
    if (content === undefined || content instanceof Uint8Array) {
      // A buffer is written at once, without a copy.
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
    // A response that refuses the request may come before the server has read the body: stop sending it.
    if (statusCode >= 300 && this.#sender?.isUnderWay === true) {
      this.#sender.stop();
      message.once('close', () => this.#request.destroy());
      message.once('end', () => this.#request.destroy());
    }
    if (hasNoBody(this.#request.method, message)) message.resume();
    else this.#responseBody = bodyOf(message, this.#idleTimer);
  }
}

function bodyOf(message: IncomingMessage, idleTimer: IdleTimer): ResponseBody {
  const { headers, socket } = message;
  // Only the parser can decode chunks.
  const size = headers['transfer-encoding'] === undefined ? Number(headers['content-length']) : 0;
  return size >= large && canReadDirectly(socket)
    ? new DirectBody(message, size, idleTimer)
    : new ParserBody(message, idleTimer);
}

function reasonOf(error: NodeJS.ErrnoException): string {
  // After several addresses were tried, Node's error has no message.
  return error.message === '' ? (error.code ?? error.name) : error.message;
}

function hasNoBody(method: string, { statusCode = 0, headers }: IncomingMessage): boolean {
  return method === 'HEAD' || [204, 205, 304].includes(statusCode) || headers['content-length'] === '0';
}

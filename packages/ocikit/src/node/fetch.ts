import type { ClientRequest, IncomingMessage } from 'node:http';

import { rawBody, takesIterables } from '../http/wire/index.ts';
import type { Fetch, RawBody } from '../http/wire/index.ts';
import { onAbort } from '../model/index.ts';

import { Connections } from './connections.ts';
import type { ConnectionOptions } from './connections.ts';
import { ConnectionBody } from './connection-body.ts';
import { MessageBody } from './message-body.ts';
import type { AnswerBody } from './message-body.ts';
import { canBeTakenOver } from './plain-connection.ts';
import { BodySender, contentOf } from './request-body.ts';
import type { RequestContent } from './request-body.ts';
import { StandStill } from './stand-still.ts';

export interface NodeFetchOptions extends ConnectionOptions {
  /**
   * Milliseconds for which the other side may take nothing of a body and send nothing of an answer. Own pauses do not
   * count. Default: 300,000.
   */
  idleTimeout?: number | undefined;
}

/** A `fetch` that keeps connections. */
export interface NodeFetch extends Fetch, Disposable {
  readonly [takesIterables]: true;
  /** Ends all connections, also those in use. It need not be called: unused ones do not keep the process alive. */
  close(): void;
}

/**
 * A `fetch` over `node:http` and `node:https`: faster with large bodies than Node's own, and it knows authorities, proxies and
 * addresses. It follows no redirects, whatever `redirect` says, and decodes no `Content-Encoding`.
 *
 * It rejects as `fetch` does: with the signal's reason, with a body's own error, else with a TypeError whose `cause` is what
 * Node said.
 *
 * @example
 * const registry = createClient({ host: 'registry.example.com', fetch: nodeFetch({ ca: await readFile('ca.pem') }) });
 */
export function nodeFetch(options: NodeFetchOptions = {}): NodeFetch {
  const connections = new Connections(options);
  const { idleTimeout = 300_000 } = options;
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const target = new URL(url);
    if (target.protocol !== 'http:' && target.protocol !== 'https:') {
      throw new TypeError(`fetch failed: nothing is known of ${target.protocol}`);
    }
    if (target.username !== '' || target.password !== '') {
      throw new TypeError('fetch failed: credentials belong in a header, not in a URL');
    }
    const { signal } = init;
    signal?.throwIfAborted();
    const body = await contentOf(init.body);
    const method = methodOf(init);
    for (;;) {
      const exchange = new Exchange(connections.request(target, method, headersOf(init, body)), body, idleTimeout);
      try {
        return responseOf(await exchange.run(signal ?? undefined), target, init, exchange);
      } catch (error) {
        if (!exchange.mayBeRepeated(method)) throw error;
      }
    }
  };
  const close = (): void => connections.close();
  return Object.assign(send, { [takesIterables]: true as const, close, [Symbol.dispose]: close });
}

function methodOf({ method = 'GET' }: RequestInit): string {
  // As `fetch` does: PATCH is the only one that has to be written in capitals.
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function headersOf(init: RequestInit, { content, size, type }: RequestContent): Record<string, string> {
  const headers: Record<string, string> = Object.fromEntries(new Headers(init.headers));
  if (type !== undefined && type !== '') headers['content-type'] ??= type;
  if (content === undefined) return headers;
  if (size !== undefined) headers['content-length'] = `${size}`;
  // A method that usually has no body would be sent without saying where it ends.
  else if (headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  return headers;
}

/** Bytes of a body from which on it is worth a connection of its own. */
const large = 1024 * 1024;

/** Methods whose effect is the same if a request arrives twice. RFC 9110, section 9.2.2. */
const idempotent: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);

/** A request and its answer. */
class Exchange {
  readonly #request: ClientRequest;
  readonly #body: RequestContent;
  readonly #standStill: StandStill;
  #sender: BodySender | undefined;
  #message: IncomingMessage | undefined;
  #answer: AnswerBody | undefined;
  #failure: { error: unknown; isOfConnection: boolean } | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #release: (() => void) | undefined;

  constructor(request: ClientRequest, body: RequestContent, idleTimeout: number) {
    this.#request = request;
    this.#body = body;
    this.#standStill = new StandStill(idleTimeout, (error) => this.fail(error));
  }

  /** The body of the answer. */
  get answer(): AnswerBody | undefined {
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
        this.#release = onAbort(signal, () => this.fail(signal.reason));
      }
      request.on('error', (error: NodeJS.ErrnoException) => {
        const isOfConnection = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        this.fail(new TypeError(`fetch failed: ${reasonOf(error)}`, { cause: error }), isOfConnection);
      });
      request.on('close', () => {
        this.#standStill.stop();
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
      this.#standStill.begin();
      return;
    }
    const size = length === undefined ? undefined : Number(length);
    this.#sender = new BodySender(this.#request, content, size, this.#standStill);
    this.#sender.send().catch((error: unknown) => this.fail(error));
  }

  #receive(message: IncomingMessage): void {
    this.#message = message;
    this.#standStill.end();
    const { statusCode = 0 } = message;
    // An answer that refuses the request does not wait for the rest of it.
    if (statusCode >= 300 && this.#sender?.isUnderWay === true) {
      this.#sender.stop();
      message.once('close', () => this.#request.destroy());
      message.once('end', () => this.#request.destroy());
    }
    if (hasNoBody(this.#request.method, message)) message.resume();
    else this.#answer = bodyOf(message, this.#standStill);
  }
}

function bodyOf(message: IncomingMessage, standStill: StandStill): AnswerBody {
  const { headers, socket } = message;
  // Chunks are the parser's.
  const size = headers['transfer-encoding'] === undefined ? Number(headers['content-length']) : 0;
  return size >= large && canBeTakenOver(socket)
    ? new ConnectionBody(message, size, standStill)
    : new MessageBody(message, standStill);
}

function reasonOf(error: NodeJS.ErrnoException): string {
  // When several addresses were tried there is no message.
  return error.message === '' ? (error.code ?? error.name) : error.message;
}

function hasNoBody(method: string, { statusCode = 0, headers }: IncomingMessage): boolean {
  return method === 'HEAD' || [204, 205, 304].includes(statusCode) || headers['content-length'] === '0';
}

function responseOf(message: IncomingMessage, url: URL, init: RequestInit, exchange: Exchange): Response & RawBody {
  const { statusCode: status = 0, statusMessage: statusText = '' } = message;
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '');
  }
  const { answer } = exchange;
  try {
    if (init.redirect === 'error' && [301, 302, 303, 307, 308].includes(status)) throw new TypeError('a redirect');
    const response = new Response(answer === undefined ? null : streamOf(answer), { status, statusText, headers });
    Object.defineProperty(response, 'url', { value: url.href });
    return Object.defineProperty(response, rawBody, { value: answer });
  } catch (error) {
    const failed = new TypeError(`fetch failed: the answer is ${status}`, { cause: error });
    exchange.fail(failed);
    throw failed;
  }
}

/** For those who read `body`. Nothing is taken before they do, so that `rawBody` can be read instead. */
function streamOf(body: AnswerBody): ReadableStream<Uint8Array> {
  let isPulled = false;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        isPulled = true;
        const next = await body.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      cancel: async () => {
        // A runtime may cancel a stream that nobody refers to any more, while its bytes are read by `rawBody`.
        if (isPulled || !body.isBegun) await body.return();
      },
    },
    { highWaterMark: 0 },
  );
}

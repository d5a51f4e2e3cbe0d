import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Exchange, Reply } from './exchange.ts';
import { writeBody } from './node-body.ts';
import { apiVersion, errorReply } from './reply.ts';

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void;

/** How much of a body that nobody read is still taken, so that the client comes to read the answer. */
const maxUnread = 1024 * 1024;

/** A listener for `node:http`. It makes no Request and no Response on the way. */
export function nodeListener(
  handle: (exchange: Exchange) => Promise<Reply>,
  onBodyError: (error: unknown, exchange: Exchange) => void,
  writeTimeout: number,
): NodeListener {
  return (request, response) => {
    // Each of the requests that a client sends in one go listens for the end of their connection.
    request.socket.setMaxListeners(0);
    const exchange = new NodeExchange(request, response);
    handle(exchange)
      .then((reply) => send(request, response, reply, writeTimeout, (error) => onBodyError(error, exchange)))
      .catch((error: unknown) => {
        // The answer has begun, so nothing can be said any more: cut off, it cannot be taken for a whole one.
        response.destroy();
        request.socket.destroy();
        onBodyError(error, exchange);
      });
  };
}

class NodeExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: AsyncIterable<Uint8Array> | undefined;
  caller: string | undefined = undefined;
  declare readonly signal: AbortSignal;
  readonly header: Exchange['header'];
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #controller: AbortController | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    const url = request.url ?? '/';
    // A client that takes this server for a proxy sends the whole URL.
    const target = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
    const mark = target.indexOf('?');
    this.method = request.method ?? 'GET';
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    const hasBody = (length !== undefined && length !== '0') || encoding !== undefined;
    // Who stops reading early still has something to answer, so the connection must not end with the reading.
    this.body = hasBody ? request.iterator({ destroyOnReturn: false }) : undefined;
    this.header = (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    };
    // Properties of its own, so that a middleware can hand on `{ ...exchange, path }`.
    Object.defineProperty(this, 'signal', { enumerable: true, get: () => this.#openSignal() });
  }

  /** Made when somebody asks for it. */
  #openSignal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      const { socket } = this.#request;
      // A response that waits behind another one on its connection is not told when the connection closes.
      const onClose = (): void => {
        if (!this.#response.writableFinished) controller.abort(new Error('the client has left'));
      };
      if (socket.destroyed) onClose();
      socket.once('close', onClose);
      this.#response.once('close', () => socket.removeListener('close', onClose));
      this.#response.once('close', onClose);
    }
    return this.#controller.signal;
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  writeTimeout: number,
  onFailed: (error: unknown) => void,
): Promise<void> {
  if (response.destroyed || request.socket.destroyed) {
    await cancelBody(reply);
    return;
  }
  // Of a body that did not come in time the rest would be taken for the next request.
  if (reply.status === 408) response.shouldKeepAlive = false;
  else if (!request.readableEnded) stopReading(request, response);
  try {
    await writeBody(response, request.socket, reply.body, writeTimeout, () => {
      response.writeHead(reply.status, headersOf(reply));
    });
  } catch (error) {
    if (response.headersSent || request.socket.destroyed) throw error;
    // Not a byte of the content could be had, or a header that a middleware made cannot be sent as it is.
    onFailed(error);
    const { status, headers, body } = errorReply(error);
    response.writeHead(status, headersOf({ headers: { ...headers, ...apiVersion } })).end(body);
  }
}

async function cancelBody({ body }: Reply): Promise<void> {
  if (typeof body === 'object' && 'cancel' in body) await body.cancel();
}

function headersOf({ headers }: Pick<Reply, 'headers'>): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) all[name] = typeof value === 'string' ? value : [...value];
  return all;
}

/** Nobody will read the rest of the body. A short rest is thrown away, before a long one the connection ends. */
function stopReading(request: IncomingMessage, response: ServerResponse): void {
  const length = Number(
    request.headers['content-length'] ?? (request.headers['transfer-encoding'] === undefined ? 0 : NaN),
  );
  request.on('error', () => undefined);
  if (length <= maxUnread) {
    // Node does that by itself only if nobody has begun to read.
    request.resume();
    return;
  }
  response.shouldKeepAlive = false;
  let taken = 0;
  request.on('data', (piece: Uint8Array) => {
    taken += piece.length;
    if (taken > maxUnread * 16) request.socket.destroy();
  });
}

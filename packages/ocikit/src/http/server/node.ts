import type { IncomingMessage, ServerResponse } from 'node:http';

import { endOfConnection } from './end-of-connection.ts';
import type { Exchange, Reply } from './exchange.ts';
import { NodeRequestBody } from './node-request-body.ts';
import { sendReply } from './send-reply.ts';

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void;

/** How much of a body that nobody read is still taken, so that the client comes to read the answer. */
const maxUnread = 1024 * 1024;

export interface NodeListenerOptions {
  onBodyError: (error: unknown, exchange: Exchange) => void;
  /** Milliseconds after which a client that takes nothing is left. */
  writeTimeout: number;
  /** Whether a connection ends with the answer that is sent now. */
  isLastAnswer: () => boolean;
}

/** A listener for `node:http`. It makes no Request and no Response on the way. */
export function nodeListener(
  handle: (exchange: Exchange) => Promise<Reply>,
  { onBodyError, writeTimeout, isLastAnswer }: NodeListenerOptions,
): NodeListener {
  return (request, response) => {
    const exchange = new NodeExchange(request);
    handle(exchange)
      .then((reply) => {
        if (isLastAnswer()) response.shouldKeepAlive = false;
        // Of a body that did not come in time the rest would be taken for the next request.
        if (reply.status === 408) response.shouldKeepAlive = false;
        else if (exchange.body !== undefined && !request.readableEnded && !request.destroyed) {
          stopReading(request, response);
        }
        return sendReply(response, request.socket, reply, { exchange, writeTimeout, onBodyError });
      })
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
  readonly signal: AbortSignal;
  readonly header: Exchange['header'];

  constructor(request: IncomingMessage) {
    const url = request.url ?? '/';
    // A client that takes this server for a proxy sends the whole URL.
    const target = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
    const mark = target.indexOf('?');
    this.method = request.method ?? 'GET';
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    const { headers } = request;
    const { 'content-length': length, 'transfer-encoding': encoding } = headers;
    const hasBody = (length !== undefined && length !== '0') || encoding !== undefined;
    this.body = hasBody ? new NodeRequestBody(request) : undefined;
    this.signal = endOfConnection(request.socket);
    // Properties of its own, so that a middleware can hand on `{ ...exchange, path }`.
    this.header = (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    };
  }
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

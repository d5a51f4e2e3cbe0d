import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Exchange, Reply } from '../../shared/index.ts';
import { sendReply, SocketExchange } from '../socket/index.ts';

import { NodeRequestBody } from './request-body.ts';

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
    const exchange = exchangeOf(request);
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

function exchangeOf(request: IncomingMessage): Exchange {
  const { url = '/', method = 'GET', headers } = request;
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  const hasBody = (length !== undefined && length !== '0') || encoding !== undefined;
  return new SocketExchange(request.socket, {
    method,
    // A client that takes this server for a proxy sends the whole URL.
    target: url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, ''),
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body: hasBody ? new NodeRequestBody(request) : undefined,
  });
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

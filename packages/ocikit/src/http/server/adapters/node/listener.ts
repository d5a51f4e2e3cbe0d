// The listener for `node:http`.
import type { IncomingMessage, ServerResponse } from 'node:http';

import { idleTimeout, malformed } from '../../shared/index.ts';
import type { ByteBudget, Exchange, NodeListener, Reply } from '../../shared/index.ts';
import {
  lingeringClose,
  queuedConnections,
  receivingTurns,
  RequestBody,
  sendReply,
  SocketExchange,
} from '../socket/index.ts';
import type { Receiver, SendOptions } from '../socket/index.ts';

/** Options of the listener. */
export interface NodeListenerOptions extends SendOptions {
  /** The memory for received bytes. */
  budget: ByteBudget;
  /** Milliseconds for which a client may reuse an idle connection. */
  keepAliveTimeout: number;
}

/** Bytes of an unread body after which the connection is used again. A longer one ends it. */
const mostSkipped = 1024 * 1024;

const hostMissing = 'an HTTP/1.1 request must have one Host header, and no second one';

/** Returns a listener for `node:http`. It creates no `Request` and no `Response`. */
export function nodeListener(
  handle: (exchange: Exchange) => Promise<Reply>,
  options: NodeListenerOptions,
): NodeListener {
  return (given, answered) => {
    // Node gives the objects that its types say.
    const request = given as IncomingMessage;
    const response = answered as ServerResponse;
    // The last answer of the connection is out: no further request is carried out. RFC 9112, section 9.6.
    if (request.socket.writableEnded) {
      request.resume();
      return;
    }
    response.once('finish', () => stayOpenLonger(request, options.keepAliveTimeout));
    const exchange = exchangeOf(request, options.budget);
    (hasOneHost(request) ? handle(exchange) : Promise.resolve(malformed(hostMissing)))
      .then((reply) => {
        if (options.isLastAnswer()) response.shouldKeepAlive = false;
        // Close the connection after a late body: its late bytes would be parsed as the next request.
        if (reply.status === 408) response.shouldKeepAlive = false;
        if (exchange.body !== undefined && !request.readableEnded && !request.destroyed) {
          discardRest(request, response, options.writeTimeout);
        }
        return sendReply(response, request.socket, exchange, reply, options);
      })
      .catch((error: unknown) => {
        // The head is out, so the error cannot be answered. Cut the answer off: the client must not take it for
        // complete.
        response.destroy();
        request.socket.destroy();
        options.onBodyError(error, exchange);
      });
  };
}

/**
 * Lets an idle connection live longer than its client was told. A server with another timeout than ours is left alone.
 *
 * @param told milliseconds
 */
function stayOpenLonger({ socket }: IncomingMessage, told: number): void {
  // Node has set it if the connection is idle now.
  if (socket.timeout === told) socket.setTimeout(idleTimeout(told));
}

/** An HTTP/1.1 request has one `Host`; of two, a proxy in front could have taken the other. RFC 9112, section 3.2. */
function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts === 1 || (hosts === 0 && httpVersion !== '1.1');
}

function exchangeOf(request: IncomingMessage, budget: ByteBudget): Exchange {
  const { url = '/', method = 'GET', headers } = request;
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  const hasBody = (length !== undefined && length !== '0') || encoding !== undefined;
  // A client that treats this server as a proxy sends the whole URL.
  const [origin = '', authority] = url.startsWith('/') ? [] : (/^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url) ?? []);
  return new SocketExchange(request.socket, {
    method,
    target: url.slice(origin.length),
    authority,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body: hasBody ? new RequestBody(request, budget) : undefined,
  });
}

/**
 * Handles the rest of a body that no handler reads. A short one is discarded, and the connection is used again. For a
 * long one the connection ends, but only after the client had time to read the answer.
 *
 * @param timeout milliseconds after which the connection of a client ends that does not send a short rest
 */
function discardRest(request: IncomingMessage, response: ServerResponse, timeout: number): void {
  const { socket } = request;
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const isShort = encoding === undefined && Number(length ?? 0) <= mostSkipped;
  request.on('error', () => undefined);
  discard(request);
  if (isShort && response.shouldKeepAlive) {
    const timer = setTimeout(() => socket.destroy(), timeout);
    timer.unref();
    request.once('close', () => clearTimeout(timer));
    return;
  }
  response.shouldKeepAlive = false;
  // `node:http` calls this after the answer. It would close a connection with unread bytes at once.
  const destroySoon = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    if (request.complete) {
      destroySoon();
      return;
    }
    lingeringClose(socket);
    request.once('end', destroySoon);
  };
}

/** Receives the rest of a body, in turn with other bodies, and discards it. */
function discard(request: IncomingMessage): void {
  const receiver: Receiver = { pause: () => request.pause(), resume: () => request.resume() };
  request.on('data', (piece: Uint8Array) => {
    if (!receivingTurns.count(receiver, piece.length)) request.pause();
  });
  request.once('close', () => receivingTurns.leave(receiver));
  // Node resumes a request by itself only if no code has started to read it.
  if (receivingTurns.enter(receiver, queuedConnections.get(request.socket))) request.resume();
  else request.pause();
}

// The listener for `node:http`.
import type { IncomingMessage, ServerResponse } from 'node:http';

import { malformed } from '../../shared/index.ts';
import type { ByteBudget, Exchange, NodeListener, Reply } from '../../shared/index.ts';
import { RequestBody, sendReply, SocketExchange } from '../socket/index.ts';
import type { SendOptions } from '../socket/index.ts';

/** Options of the listener. */
export interface NodeListenerOptions extends SendOptions {
  /** The memory for received bytes. */
  budget: ByteBudget;
}

/** Bytes of an unread body that are still received and discarded, so that the client gets to read the answer. */
const maxDiscarded = 1024 * 1024;

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
    const exchange = exchangeOf(request, options.budget);
    (hasOneHost(request) ? handle(exchange) : Promise.resolve(malformed(hostMissing)))
      .then((reply) => {
        if (options.isLastAnswer()) response.shouldKeepAlive = false;
        // Close the connection after a late body: its late bytes would be parsed as the next request.
        if (reply.status === 408) response.shouldKeepAlive = false;
        else if (exchange.body !== undefined && !request.readableEnded && !request.destroyed) {
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
 * Handles the rest of a body that no handler reads: discards a short rest, and ends the connection for a long one.
 *
 * @param timeout milliseconds after which the connection of a client ends that does not send the rest
 */
function discardRest(request: IncomingMessage, response: ServerResponse, timeout: number): void {
  const length = Number(
    request.headers['content-length'] ?? (request.headers['transfer-encoding'] === undefined ? 0 : NaN),
  );
  request.on('error', () => undefined);
  const timer = setTimeout(() => request.socket.destroy(), timeout);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
  if (length <= maxDiscarded) {
    // Node resumes a request by itself only if no code has started to read it.
    request.resume();
    return;
  }
  response.shouldKeepAlive = false;
  let taken = 0;
  request.on('data', (piece: Uint8Array) => {
    taken += piece.length;
    if (taken > maxDiscarded * 16) request.socket.destroy();
  });
}

// A registry as an HTTP server: puts the API, the middleware and the adapters together.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { Registry } from '../../model/index.ts';

import { FastConnections, fetchHandler, nodeListener } from './adapters/index.ts';
import { ExchangeHandler } from './exchange-handler.ts';
import { ByteBudget, resolveLimits } from './shared/index.ts';
import type { Exchange, FetchHandler, NodeListener, Reply, ServerOptions, TakeConnection } from './shared/index.ts';

/**
 * A registry as an HTTP handler, in a form for each runtime.
 *
 * @example
 * const server: Server = createServer(createMemoryRegistry());
 * const response = await server.fetch(new Request('http://localhost/v2/')); // 200
 */
export interface Server {
  /** The handler for Deno, Bun, Workers, and every framework with `Request` and `Response`. */
  readonly fetch: FetchHandler;
  /** The listener for `node:http`, `node:https` and frameworks that are built on them. */
  readonly node: NodeListener;
  /** Answers one exchange, for an adapter of your own. It never rejects. */
  handle(exchange: Exchange): Promise<Reply>;
  /**
   * Takes a connection before `node:http` does, and answers small requests faster. The first request that it cannot
   * answer hands the connection over for good: one with a large body of known length, or a header that asks for more than
   * an answer. `serve` uses it.
   *
   * @param largestHead maximum bytes of a request's head; a connection with a longer one is handed over
   * @param handOver gives the connection to `node:http`: the `connection` listener of a server that has `node` as its
   *   own
   */
  readonly connection: TakeConnection;
  /**
   * Ends every idle connection of `connection`, and every other one with its next answer, that of `node` too. Call it
   * before the server stops.
   */
  readonly endConnections: () => void;
}

/**
 * Creates a server that answers every path under `/v2/`, as the distribution specification says.
 *
 * @throws TypeError if the first argument is no registry
 *
 * @example
 * const server = createServer(createMemoryRegistry());
 * http.createServer(server.node).listen(5000); // Node
 * app.all('/v2/*', (c) => server.fetch(c.req.raw)); // Hono
 * export default { fetch: server.fetch }; // Deno, Bun, Workers
 */
export function createServer(registry: Registry, options: ServerOptions = {}): Server {
  if (!isRegistry(registry)) {
    throw new TypeError('the first argument has to be a registry, such as createMemoryRegistry(); options come second');
  }
  const limits = resolveLimits(options.limits);
  const budget = new ByteBudget(limits.receivedBytes);
  const handler = new ExchangeHandler(registry, options, limits, budget);
  const handle = (exchange: Exchange): Promise<Reply> => handler.handle(exchange);
  const onBodyError = (error: unknown, exchange: Exchange): void => handler.report(error, exchange);
  let isEnding = false;
  const { bodyTimeout: writeTimeout, keepAliveTimeout } = limits;
  const sending = { onBodyError, writeTimeout, keepAliveTimeout, isLastAnswer: () => isEnding };
  const connections = new FastConnections({ ...sending, handle, budget });
  const listener = nodeListener(handle, { ...sending, budget });
  return {
    handle,
    fetch: fetchHandler(handle, onBodyError),
    // Node gives these the objects that its types say.
    node: (request, response) => listener(request as IncomingMessage, response as ServerResponse),
    connection: (socket, largestHead, handOver) =>
      connections.take(socket as unknown as Socket, largestHead, () => handOver(socket)),
    endConnections: () => {
      isEnding = true;
      connections.endIdle();
    },
  };
}

/** False for a caller without types that has forgotten the registry. */
function isRegistry(given: unknown): given is Registry {
  return typeof given === 'object' && given !== null && 'getBlob' in given && typeof given.getBlob === 'function';
}

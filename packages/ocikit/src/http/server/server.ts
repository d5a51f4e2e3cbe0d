import { RegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { formatWarnings, parsePath } from '../wire/index.ts';
import type { Route } from '../wire/index.ts';

import type { Exchange, Next, Reply } from './exchange.ts';
import { fetchHandler } from './fetch.ts';
import type { FetchHandler } from './fetch.ts';
import { nodeListener } from './node.ts';
import type { NodeListener } from './node.ts';
import { resolveLimits } from './options.ts';
import type { ResolvedLimits, ServerOptions } from './options.ts';
import { empty, errorReply, isServerFault } from './reply.ts';
import { handlerFor, methodsOf } from './resources.ts';

/** A registry as an HTTP server's handler, in three forms. */
export interface Server {
  /** For Deno, Bun, Workers, and every framework that has `Request` and `Response`. */
  readonly fetch: FetchHandler;
  /** For `node:http` and what is built on it. */
  readonly node: NodeListener;
  /** For adapters of one's own. It never rejects. */
  handle(exchange: Exchange): Promise<Reply>;
}

/**
 * Serves a registry over HTTP, as the distribution specification says. It answers everything under `/v2/`.
 *
 * @example
 * const server = createServer(createMemoryRegistry());
 * http.createServer(server.node).listen(5000); // Node
 * app.all('/v2/*', (c) => server.fetch(c.req.raw)); // Hono
 * export default { fetch: server.fetch }; // Deno, Bun, Workers
 */
export function createServer(registry: Registry, options: ServerOptions = {}): Server {
  const core = new Core(registry, options);
  const handle = (exchange: Exchange): Promise<Reply> => core.handle(exchange);
  const onBodyError = (error: unknown, exchange: Exchange): void => core.report(error, exchange);
  return { handle, fetch: fetchHandler(handle), node: nodeListener(handle, onBodyError) };
}

/** As proxies log a request whose client left before its answer. */
const clientLeft = 499;

class Core {
  readonly #registry: Registry;
  readonly #options: ServerOptions;
  readonly #limits: ResolvedLimits;
  readonly #chain: Next;
  #receiving = 0;

  constructor(registry: Registry, options: ServerOptions) {
    this.#registry = registry;
    this.#options = options;
    this.#limits = resolveLimits(options.limits);
    const middleware = [...(options.middleware ?? [])];
    this.#chain = middleware.reduceRight<Next>(
      (next, layer) => (exchange) => layer(exchange, next),
      (exchange) => this.#answer(exchange),
    );
  }

  async handle(exchange: Exchange): Promise<Reply> {
    const startedAt = performance.now();
    let reply: Reply;
    try {
      reply = await this.#chain(exchange);
    } catch (error) {
      this.report(error, exchange);
      reply = errorReply(error);
    }
    this.#decorate(exchange, reply);
    this.#options.logger?.info('request', {
      ...this.#about(exchange),
      // Nobody gets the answer, so it is neither a success nor the server's fault.
      status: exchange.signal.aborted ? clientLeft : reply.status,
      milliseconds: Math.round((performance.now() - startedAt) * 100) / 100,
      bytes: Number(reply.headers['Content-Length'] ?? 0),
    });
    return reply;
  }

  /** Tells of an error, unless it is the client's fault or the client has left. */
  report(error: unknown, exchange: Exchange): void {
    if (exchange.signal.aborted || !isServerFault(error)) return;
    this.#options.logger?.error('failed', { ...this.#about(exchange), error });
    this.#options.onError?.(error, exchange);
  }

  async #answer(exchange: Exchange): Promise<Reply> {
    let route: Route | undefined;
    try {
      route = parsePath(exchange.path);
      if (route === undefined) throw new RegistryError('NOT_FOUND', 'the API has no such path');
      return await this.#dispatch(exchange, route);
    } catch (error) {
      this.report(error, exchange);
      const reply = errorReply(error);
      if (reply.status === 405 && route !== undefined) {
        reply.headers['Allow'] = methodsOf(route)
          .filter((method) => method !== exchange.method)
          .join(', ');
      }
      return reply;
    }
  }

  async #dispatch(exchange: Exchange, route: Route): Promise<Reply> {
    if (exchange.method === 'OPTIONS') return empty(204, { Allow: methodsOf(route).join(', ') });
    const handler = handlerFor(route, exchange.method);
    if (handler === undefined) {
      throw new RegistryError('UNSUPPORTED', `this resource does not answer to ${exchange.method}`);
    }
    const query = new URLSearchParams(exchange.query);
    return handler({
      exchange,
      route,
      query,
      registry: this.#registry,
      options: this.#options,
      limits: this.#limits,
      call: {
        signal: exchange.signal,
        context: { caller: exchange.caller, namespace: query.get('ns') ?? undefined },
      },
      receive: (read) => this.#receive(read),
    });
  }

  async #receive<T>(read: () => Promise<T>): Promise<T> {
    if (this.#receiving >= this.#limits.concurrentUploads) {
      throw new RegistryError('TOOMANYREQUESTS', `${this.#receiving} uploads are being received already`, {
        retryAfter: 1,
      });
    }
    this.#receiving++;
    try {
      return await read();
    } finally {
      this.#receiving--;
    }
  }

  #decorate(exchange: Exchange, reply: Reply): void {
    reply.headers['Docker-Distribution-API-Version'] = 'registry/2.0';
    const { warnings } = this.#options;
    const texts = typeof warnings === 'function' ? warnings(exchange) : (warnings ?? []);
    if (texts.length > 0) reply.headers['Warning'] = formatWarnings(texts);
    if (exchange.method !== 'HEAD' || reply.body === undefined) return;
    if (typeof reply.body === 'object' && 'cancel' in reply.body) void reply.body.cancel();
    delete reply.body;
  }

  #about({ method, path, query }: Exchange): Record<string, unknown> {
    const { debugId } = this.#options;
    return { ...(debugId === undefined ? {} : { server: debugId }), method, path, ...(query === '' ? {} : { query }) };
  }
}

import type { Socket } from 'node:net';

import { RegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { formatWarnings, parsePath } from '../wire/index.ts';
import type { Route } from '../wire/index.ts';

import { fetchHandler, nodeListener, FastConnections } from './adapters/index.ts';
import type { FetchHandler, HandOver, NodeListener } from './adapters/index.ts';
import { handlerFor, methodsOf } from './api/index.ts';
import { apiVersion, empty, errorReply, isServerFault, resolveLimits } from './shared/index.ts';
import type { Exchange, Next, Reply, ResolvedLimits, ServerOptions } from './shared/index.ts';

/** A registry as an HTTP server's handler, in three forms. */
export interface Server {
  /** For Deno, Bun, Workers, and every framework that has `Request` and `Response`. */
  readonly fetch: FetchHandler;
  /** For `node:http` and what is built on it. */
  readonly node: NodeListener;
  /** For adapters of one's own. It never rejects. */
  handle(exchange: Exchange): Promise<Reply>;
  /**
   * Takes connections before `node:http` does, and answers small requests sooner than that could. With the first request
   * that is not plain (no length, or a large one; anything that needs more than an answer) a connection is handed over.
   *
   * @param largestHead bytes that a request's head may have; longer ones are handed over
   * @param handOver what `node:http` does with a connection: the listener of a server that has `node` as its own
   */
  readonly connection: (socket: Socket, largestHead: number, handOver: HandOver) => void;
  /** From now on each answer of `node` is the last one on its connection: for a server that is about to stop. */
  readonly endConnections: () => void;
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
  const { bodyTimeout } = resolveLimits(options.limits);
  let isEnding = false;
  const sending = { onBodyError, writeTimeout: bodyTimeout, isLastAnswer: () => isEnding };
  const connections = new FastConnections({ ...sending, handle });
  return {
    handle,
    fetch: fetchHandler(handle, onBodyError),
    node: nodeListener(handle, sending),
    connection: (socket, largestHead, handOver) => connections.take(socket, largestHead, handOver),
    endConnections: () => {
      isEnding = true;
      connections.endIdle();
    },
  };
}

/** Nobody adds to it: handlers only read. */
const noQuery = new URLSearchParams();

/** As proxies log a request whose client left before its answer. */
const clientLeft = 499;

class Core {
  readonly #registry: Registry;
  readonly #options: ServerOptions;
  readonly #limits: ResolvedLimits;
  readonly #chain: Next;
  readonly #hasMiddleware: boolean;
  #receiving = 0;

  constructor(registry: Registry, options: ServerOptions) {
    this.#registry = registry;
    this.#options = options;
    this.#limits = resolveLimits(options.limits);
    const middleware = [...(options.middleware ?? [])];
    this.#hasMiddleware = middleware.length > 0;
    this.#chain = middleware.reduceRight<Next>(
      (next, layer) => (exchange) => layer(exchange, next),
      (exchange) => this.#answer(exchange),
    );
  }

  async handle(exchange: Exchange): Promise<Reply> {
    const startedAt = this.#options.logger?.info === undefined ? 0 : performance.now();
    let reply: Reply;
    try {
      reply = await this.#chain(exchange);
    } catch (error) {
      this.report(error, exchange);
      reply = errorReply(error);
    }
    reply = this.#finish(exchange, reply);
    // Of an answer to HEAD nothing is read.
    if (exchange.method === 'HEAD' && reply.body !== undefined) reply = await this.#withoutBody(exchange, reply);
    if (this.#options.logger?.info !== undefined) this.#log(exchange, reply, performance.now() - startedAt);
    return reply;
  }

  #log(exchange: Exchange, reply: Reply, milliseconds: number): void {
    guarded(() =>
      this.#options.logger?.info?.('request', {
        ...this.#about(exchange),
        // Nobody gets the answer, so it is neither a success nor the server's fault.
        status: exchange.signal.aborted ? clientLeft : reply.status,
        milliseconds: Math.round(milliseconds * 100) / 100,
        bytes: reply.body === undefined ? 0 : Number(reply.headers['Content-Length'] ?? 0),
      }),
    );
  }

  /** Tells of an error, unless it is the client's fault or the client has left. */
  report(error: unknown, exchange: Exchange): void {
    if (exchange.signal.aborted || !isServerFault(error)) return;
    guarded(() => this.#options.logger?.error('failed', { ...this.#about(exchange), error }));
    guarded(() => this.#options.onError?.(error, exchange));
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

  #dispatch(exchange: Exchange, route: Route): Reply | Promise<Reply> {
    if (exchange.method === 'OPTIONS') return empty(204, { Allow: methodsOf(route).join(', ') });
    const handler = handlerFor(route, exchange.method);
    if (handler === undefined) {
      throw new RegistryError('UNSUPPORTED', `this resource does not answer to ${exchange.method}`);
    }
    const query = exchange.query === '' ? noQuery : new URLSearchParams(exchange.query);
    return handler({
      exchange,
      route,
      query,
      registry: this.#registry,
      options: this.#options,
      limits: this.#limits,
      call: {
        signal: exchange.signal,
        context: {
          caller: exchange.caller,
          requestId: exchange.header('x-request-id'),
          namespace: query.get('ns') ?? undefined,
        },
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

  /** What all answers have. */
  #finish(exchange: Exchange, given: Reply): Reply {
    // A middleware may give its reply again: that is not changed.
    const reply = this.#hasMiddleware ? { ...given, headers: { ...given.headers } } : given;
    Object.assign(reply.headers, apiVersion);
    sayLength(exchange, reply);
    if (this.#options.warnings !== undefined) {
      const texts = guarded(() => this.#warnings(exchange)) ?? [];
      if (texts.length > 0) reply.headers['Warning'] = formatWarnings(texts);
    }
    return reply;
  }

  async #withoutBody(exchange: Exchange, { status, headers, body }: Reply): Promise<Reply> {
    if (typeof body === 'object' && 'cancel' in body) {
      await body.cancel().catch((error: unknown) => this.report(error, exchange));
    }
    return { status, headers };
  }

  #warnings(exchange: Exchange): readonly string[] {
    const { warnings } = this.#options;
    return typeof warnings === 'function' ? warnings(exchange) : (warnings ?? []);
  }

  #about({ method, path, query }: Exchange): Record<string, unknown> {
    const { debugId } = this.#options;
    return {
      ...(debugId === undefined ? {} : { server: debugId }),
      method,
      // Who knows an upload's id can go on with it.
      path: path.replace(/(\/blobs\/uploads\/[^/]{1,8})[^/]*$/, '$1…'),
      ...(query === '' ? {} : { query: query.replaceAll(unknownParameter, '$1=…') }),
    };
  }
}

/** A middleware may give a reply that does not say how long it is. */
function sayLength({ method }: Exchange, { status, headers, body }: Reply): void {
  if (headers['Content-Length'] !== undefined || status === 204 || status === 304) return;
  if (Object.keys(headers).some((name) => name.toLowerCase() === 'content-length')) return;
  if (body !== undefined) headers['Content-Length'] = `${sizeOf(body)}`;
  else if (method !== 'HEAD') headers['Content-Length'] = '0';
}

function sizeOf(body: Exclude<Reply['body'], undefined>): number {
  if (typeof body === 'string') return new TextEncoder().encode(body).length;
  return body instanceof Uint8Array ? body.length : body.range.end - body.range.start;
}

/** Parameters that the API does not know may be somebody's secret. */
const unknownParameter =
  /(?<=^|&)(?!(?:n|last|ns|digest|digest-algorithm|mount|from|tag|artifactType)=)([^=&]*)=[^&]*/g;

/** Runs what the server was given by its user: a failure there is not to be the failure of a request. */
function guarded<T>(hook: () => T): T | undefined {
  try {
    return hook();
  } catch {
    return undefined;
  }
}

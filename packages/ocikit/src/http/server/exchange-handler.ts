// From an exchange to its reply: middleware, routing, errors, the headers of every answer, and the log.
import { RegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { formatWarnings, parsePath } from '../wire/index.ts';
import type { Route } from '../wire/index.ts';

import { handlerFor, methodsOf } from './api/index.ts';
import { assertOwnSite } from './cross-site.ts';
import { KnownHosts } from './known-hosts.ts';
import { logFieldsOf } from './log-fields.ts';
import { Receiving } from './receiving/index.ts';
import { addEveryAnswer, ConnectionCut, empty, errorReply, isContent, isServerFault } from './shared/index.ts';
import type { ByteBudget, Exchange, Next, Reply, ResolvedLimits, ServerOptions } from './shared/index.ts';

/** The query of every request without one. Handlers only read it. */
const noQuery = new URLSearchParams();

/** The status in the log for a client that disconnected before its answer, as proxies log it. */
const clientClosedRequest = 499;

/** Answers the exchanges of a server, whichever adapter they come from. */
export class ExchangeHandler {
  readonly #registry: Registry;
  readonly #options: ServerOptions;
  readonly #limits: ResolvedLimits;
  readonly #chain: Next;
  readonly #hasMiddleware: boolean;
  readonly #knownHosts: KnownHosts | undefined;
  readonly #receiving: Receiving;

  constructor(registry: Registry, options: ServerOptions, limits: ResolvedLimits, budget: ByteBudget) {
    this.#registry = registry;
    this.#options = options;
    this.#limits = limits;
    if (options.allowedHosts !== undefined) this.#knownHosts = new KnownHosts(options.allowedHosts);
    this.#receiving = new Receiving(limits, budget);
    const middleware = [...(options.middleware ?? [])];
    this.#hasMiddleware = middleware.length > 0;
    this.#chain = middleware.reduceRight<Next>(
      (next, layer) => (exchange) => layer(exchange, next),
      (exchange) => this.#answer(exchange),
    );
  }

  /** Answers an exchange. It never rejects: every error becomes a reply. */
  async handle(exchange: Exchange): Promise<Reply> {
    const startedAt = this.#options.logger?.info === undefined ? 0 : performance.now();
    let reply: Reply;
    try {
      this.#knownHosts?.assertKnown(exchange);
      assertOwnSite(exchange, this.#options.allowedOrigins ?? []);
      reply = await this.#chain(exchange);
    } catch (error) {
      this.report(error, exchange);
      reply = await this.#failed(error, errorReply(error), exchange);
    }
    reply = this.#finish(exchange, reply);
    if (exchange.method === 'HEAD' && reply.body !== undefined) reply = await this.#withoutBody(exchange, reply);
    if (this.#options.logger?.info !== undefined) this.#log(exchange, reply, performance.now() - startedAt);
    return reply;
  }

  /** Passes an error to the log and to `onError`, unless the client caused it or has disconnected. */
  report(error: unknown, exchange: Exchange): void {
    if (exchange.signal.aborted || !isServerFault(error)) return;
    guarded(() => this.#options.logger?.error('failed', { ...logFieldsOf(exchange, this.#options.debugId), error }));
    guarded(() => this.#options.onError?.(error, exchange));
  }

  #log(exchange: Exchange, reply: Reply, milliseconds: number): void {
    guarded(() =>
      this.#options.logger?.info?.('request', {
        ...logFieldsOf(exchange, this.#options.debugId),
        // An answer without a reader is neither a success nor a fault of the server.
        status: exchange.signal.aborted ? clientClosedRequest : reply.status,
        milliseconds: Math.round(milliseconds * 100) / 100,
        bytes: reply.body === undefined ? 0 : Number(reply.headers['Content-Length'] ?? 0),
      }),
    );
  }

  async #answer(exchange: Exchange): Promise<Reply> {
    let route: Route | undefined;
    try {
      if (exchange.path === '/' && (exchange.method === 'GET' || exchange.method === 'HEAD')) return root();
      route = parsePath(exchange.path);
      if (route === undefined) throw new RegistryError('NOT_FOUND', 'the registry API has no such path');
      return await this.#dispatch(exchange, route);
    } catch (error) {
      this.report(error, exchange);
      const reply = errorReply(error);
      if (reply.status === 405 && route !== undefined) {
        reply.headers['Allow'] = methodsOf(route)
          .filter((method) => method !== exchange.method)
          .join(', ');
      }
      return this.#failed(error, reply, exchange);
    }
  }

  /** The answer to a failed request: the server's own, or that of `writeError`. */
  async #failed(error: unknown, reply: Reply, exchange: Exchange): Promise<Reply> {
    const { writeError } = this.#options;
    if (writeError === undefined) return reply;
    try {
      const written = await writeError(error, { ...reply, headers: { ...reply.headers } }, exchange);
      return { ...written, headers: withLength(exchange, written) };
    } catch (failure) {
      this.report(failure, exchange);
      return reply;
    }
  }

  #dispatch(exchange: Exchange, route: Route): Reply | Promise<Reply> {
    if (exchange.method === 'OPTIONS') return empty(204, { Allow: methodsOf(route).join(', ') });
    const handler = handlerFor(route, exchange.method);
    if (handler === undefined) {
      throw new RegistryError('UNSUPPORTED', `this path does not support the method ${exchange.method}`);
    }
    const query = exchange.query === '' ? noQuery : parametersIn(exchange.query, this.#options);
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
          identity: exchange.identity,
          requestId: exchange.header('x-request-id'),
          namespace: query.get('ns') ?? undefined,
        },
      },
      receive: (length, read) => this.#receiving.receive(exchange, length, read),
    });
  }

  /** Adds the headers of every answer. */
  #finish(exchange: Exchange, given: Reply): Reply {
    // Copy the reply of a middleware: it may return the same object again, and may have changed the body.
    const reply = this.#hasMiddleware ? { ...given, headers: withLength(exchange, given) } : given;
    addEveryAnswer(reply.headers);
    addLength(exchange, reply);
    if (this.#options.warnings !== undefined) {
      const texts = guarded(() => this.#warnings(exchange)) ?? [];
      if (texts.length > 0) reply.headers['Warning'] = formatWarnings(texts);
    }
    return reply;
  }

  async #withoutBody(exchange: Exchange, { status, headers, body }: Reply): Promise<Reply> {
    if (isContent(body)) {
      try {
        await body.open();
      } catch (error) {
        // A test wants the connection to end without an answer.
        if (error instanceof ConnectionCut) return { status, headers, body };
      }
      await body.cancel().catch((error: unknown) => this.report(error, exchange));
    }
    return { status, headers };
  }

  #warnings(exchange: Exchange): readonly string[] {
    const { warnings } = this.#options;
    return typeof warnings === 'function' ? warnings(exchange) : (warnings ?? []);
  }
}

/** The answer to `GET /`, where health checks and people look first. */
function root(): Reply {
  const body = new TextEncoder().encode('This is an OCI registry. Its API is at /v2/.\n');
  return {
    status: 200,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': `${body.length}` },
    body,
  };
}

/** A query in which a parameter has no value, or not even an `=`. */
const hasEmptyValue = /(?:^|&)[^=&]*=?(?:&|$)/;

/** The parameters of a query. An empty one counts as absent: clients send `last=` for the first page, and `from=`. */
function parametersIn(query: string, { ignorePagination }: ServerOptions): URLSearchParams {
  const all = new URLSearchParams(query);
  const given = hasEmptyValue.test(query) ? new URLSearchParams([...all].filter(([, value]) => value !== '')) : all;
  if (ignorePagination === true) for (const name of ['n', 'last']) given.delete(name);
  return given;
}

/**
 * The headers of a reply whose body may have changed since `Content-Length` was set: a wrong length would let the
 * client wait for more, or read the rest of this answer as its next one.
 */
function withLength({ method }: Exchange, { status, headers, body }: Reply): Reply['headers'] {
  const hasLength = method !== 'HEAD' || body !== undefined;
  const size = hasLength && status !== 204 && status !== 304 ? bodySize(body ?? '') : undefined;
  const copy = { ...headers };
  if (size === undefined || !Number.isSafeInteger(size)) return copy;
  for (const name of Object.keys(copy)) {
    if (name !== 'Content-Length' && name.toLowerCase() === 'content-length') delete copy[name];
  }
  copy['Content-Length'] = `${size}`;
  return copy;
}

/** Adds `Content-Length` to a reply without it, which a middleware may have made. */
function addLength({ method }: Exchange, { status, headers, body }: Reply): void {
  if (headers['Content-Length'] !== undefined || status === 204 || status === 304) return;
  if (Object.keys(headers).some((name) => name.toLowerCase() === 'content-length')) return;
  const size = body === undefined ? undefined : bodySize(body);
  // The end of the connection ends a body whose size is not known.
  if (size === Number.POSITIVE_INFINITY) headers['Connection'] = 'close';
  else if (size !== undefined) headers['Content-Length'] = `${size}`;
  else if (method !== 'HEAD') headers['Content-Length'] = '0';
}

function bodySize(body: Exclude<Reply['body'], undefined>): number {
  if (typeof body === 'string') return new TextEncoder().encode(body).length;
  return body instanceof Uint8Array ? body.length : body.range.end - body.range.start;
}

/** Calls a function of the server's user. Its failure must not fail the request. */
function guarded<T>(hook: () => T): T | undefined {
  try {
    return hook();
  } catch {
    return undefined;
  }
}

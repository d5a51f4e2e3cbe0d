// Faults of a registry for tests: errors, cut connections, redirects, wrong bytes, delays.
import { ConnectionCut } from '../../http/server/index.ts';
import type { Exchange, Middleware, Reply } from '../../http/server/index.ts';
import { errorBody } from '../../http/wire/index.ts';
import type { Route } from '../../http/wire/index.ts';
import { isErrorCode, onAbort, statusOfCode } from '../../model/index.ts';
import type { ErrorCode } from '../../model/index.ts';

import { brokenBody, mapBody, sizeOfBody } from './changed-body.ts';
import { routeOf } from './route-of.ts';

/** The requests that a fault affects. Default: every request, every time. */
export interface FaultOptions {
  /** Only requests with these methods, such as `GET` and `PUT`. Default: all methods. */
  methods?: readonly string[] | undefined;
  /** Only requests for these resources, such as `blob`, `manifest` and `upload`. Default: all resources. */
  resources?: readonly Route['resource'][] | undefined;
  /** Only requests for which this returns true. Default: all requests. */
  when?: ((exchange: Exchange) => boolean) | undefined;
  /** Only the first requests of each method and path, as many as this. Default: without end. */
  times?: number | undefined;
}

/**
 * Makes a fault of a middleware: it handles the requests that the options name, the others pass.
 * Faults are middleware of the server: `createServer(registry, { middleware: [fault] })`, or `TestServer.inject`.
 *
 * @example
 * const teapot = faultOf({ resources: ['tags'], times: 1 }, async () => ({ status: 418, headers: {} }));
 * server.inject(teapot);
 */
export function faultOf(options: FaultOptions, middleware: Middleware): Middleware {
  const { methods, resources, when, times = Number.POSITIVE_INFINITY } = options;
  const counts = new Map<string, number>();
  return (exchange, next) => {
    const { method, path } = exchange;
    const isMeant =
      (methods === undefined || methods.includes(method)) &&
      (resources === undefined || resources.includes(routeOf(path)?.resource ?? 'base')) &&
      (when === undefined || when(exchange));
    const key = `${method} ${path}`;
    const count = counts.get(key) ?? 0;
    if (!isMeant || count >= times) return next(exchange);
    counts.set(key, count + 1);
    return middleware(exchange, next);
  };
}

/** Options of {@link refuseRequests}. */
export interface RefuseOptions extends FaultOptions {
  /**
   * An error code, answered with its status, or a status, answered without a body. Default: UNAVAILABLE, status 503.
   */
  as?: ErrorCode | number | undefined;
  /** The value of `Retry-After`: seconds, or a date. Default: no such header. */
  retryAfter?: string | undefined;
}

/**
 * Answers with an error instead of passing the request to the registry.
 *
 * @example
 * server.inject(refuseRequests({ times: 1 })); // each path is answered 503 first
 */
export function refuseRequests(options: RefuseOptions = {}): Middleware {
  const { as = 'UNAVAILABLE', retryAfter } = options;
  const headers: Reply['headers'] = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
  return faultOf(options, async () => {
    if (!isErrorCode(as)) return { status: as, headers: { ...headers, 'Content-Length': '0' } };
    const body = errorBody({ errors: [{ code: as, message: 'refused, as the test wants it' }] });
    headers['Content-Type'] = 'application/json';
    return { status: statusOfCode[as], headers: { ...headers, 'Content-Length': `${body.length}` }, body };
  });
}

/** Options of {@link cutAnswers} and {@link cutRequests}. */
export interface CutOptions extends FaultOptions {
  /**
   * Bytes of the body to let through. With 0, no byte of an answer is sent, its head included, whether it has a body or
   * not: so the acknowledgement of a push is lost. Default: half of the body.
   */
  after?: number | 'half' | undefined;
}

/**
 * Ends the connection in the middle of an answer's body, although the whole body was announced. The registry has
 * handled the request. Answers without a body pass, as those to HEAD do, unless `after` is 0.
 *
 * @example
 * server.inject(cutAnswers({ resources: ['blob'], after: 10_000, times: 1 })); // the next try succeeds
 */
export function cutAnswers(options: CutOptions = {}): Middleware {
  return faultOf(options, async (exchange, next) => {
    const reply = await next(exchange);
    if (options.after === 0) return brokenReply(reply);
    const size = sizeOfBody(reply);
    if (size === undefined) return reply;
    const after = atOf(options.after ?? 'half', size);
    if (after === 0) return brokenReply(reply);
    if (after >= size) return reply;
    return mapBody(reply, async function* cut(pieces) {
      yield* firstBytes(pieces, after);
      // Ending the connection discards unsent bytes. The server asks for this empty piece when there is room again,
      // and the pause lets the rest leave.
      yield new Uint8Array();
      await pause(10, exchange.signal);
      throw new ConnectionCut('cut off, as the test wants it');
    });
  });
}

/**
 * Ends the connection in the middle of a request's body, without an answer. The registry gets the bytes before.
 * A request without a body does not reach it.
 *
 * @param options half of a body is known only if the request has a `Content-Length`; else `after` is 1 byte by default
 * @example
 * server.inject(cutRequests({ methods: ['PATCH'], after: 60_000, times: 1 })); // an upload that has to be resumed
 */
export function cutRequests(options: CutOptions = {}): Middleware {
  return faultOf(options, async (exchange, next) => {
    const length = Number(exchange.header('content-length') ?? Number.NaN);
    const after = atOf(options.after ?? 'half', length);
    if (length > 0 && after >= length) return next(exchange);
    if (exchange.body !== undefined && after > 0) {
      await next({ ...exchange, body: cutBody(exchange.body, after) });
    }
    return brokenReply({ status: 500, headers: {} });
  });
}

async function* cutBody(body: AsyncIterable<Uint8Array>, after: number): AsyncGenerator<Uint8Array, void, undefined> {
  yield* firstBytes(body, after);
  throw new ConnectionCut('cut off, as the test wants it');
}

/** The reply of which no byte is sent: the server ends the connection. */
function brokenReply(reply: Reply): Reply {
  return brokenBody(reply, new ConnectionCut('cut off, as the test wants it'));
}

async function* firstBytes(
  pieces: AsyncIterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  for await (const piece of pieces) {
    yield piece.length <= left ? piece : piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return;
  }
}

function atOf(at: number | 'half', size: number): number {
  if (at !== 'half') return at;
  return Number.isNaN(size) ? 1 : Math.floor(size / 2);
}

/** Options of {@link redirectRequests}. */
export interface RedirectOptions extends FaultOptions {
  /**
   * `https://HOST[:PORT]` of the new location, which has the same path and query. Requests to that host pass. A test
   * server has to know the host: by `domains` or `allowedHosts`. Default: this server, once for each method and path.
   */
  to?: string | undefined;
  /** The status of the answer. Default: 307. */
  status?: 301 | 302 | 303 | 307 | 308 | undefined;
}

/**
 * Answers with a redirect.
 *
 * @example
 * server.inject(redirectRequests({ to: 'https://cdn.example.com', resources: ['blob'] }));
 */
export function redirectRequests(options: RedirectOptions = {}): Middleware {
  const { to, status = 307, times = to === undefined ? 1 : undefined } = options;
  const target = to === undefined ? undefined : new URL(to);
  return faultOf({ ...options, times }, async (exchange, next) => {
    const { path, query } = exchange;
    if (exchange.header('host') === target?.host) return next(exchange);
    const location = `${target?.origin ?? ''}${path}${query === '' ? '' : `?${query}`}`;
    return { status, headers: { Location: location, 'Content-Length': '0' } };
  });
}

/** Options of {@link corruptAnswers}. */
export interface CorruptOptions extends FaultOptions {
  /** The position of the changed byte, from 0. Default: the middle of the body. */
  at?: number | 'half' | undefined;
}

/**
 * Changes one byte of an answer's body. The announced digest and size stay. Errors pass unchanged.
 *
 * @example
 * server.inject(corruptAnswers({ resources: ['blob'] })); // a client has to reject with DIGEST_INVALID
 */
export function corruptAnswers(options: CorruptOptions = {}): Middleware {
  return faultOf(options, async (exchange, next) => {
    const reply = await next(exchange);
    const size = sizeOfBody(reply);
    if (size === undefined || reply.status >= 300) return reply;
    const wrong = atOf(options.at ?? 'half', size);
    return mapBody(reply, async function* corrupt(pieces) {
      let at = 0;
      for await (const piece of pieces) {
        const index = wrong - at;
        at += piece.length;
        if (index < 0 || index >= piece.length) {
          yield piece;
          continue;
        }
        // A copy: the piece may be the store's own.
        const changed = new Uint8Array(piece);
        changed[index] = (piece[index] ?? 0) ^ 0xff;
        yield changed;
      }
    });
  });
}

/** Options of {@link resizeAnswers}. */
export interface ResizeOptions extends FaultOptions {
  /** Bytes to add; bytes to remove if it is negative. */
  by: number;
}

/**
 * Answers with a longer or shorter body, and announces its new size, so that the answer is complete to HTTP. Errors
 * pass unchanged.
 *
 * @example
 * server.inject(resizeAnswers({ by: -1, resources: ['blob'] }));
 */
export function resizeAnswers(options: ResizeOptions): Middleware {
  const { by } = options;
  return faultOf(options, async (exchange, next) => {
    const reply = await next(exchange);
    const size = sizeOfBody(reply);
    if (size === undefined || reply.status >= 300) return reply;
    const resized = Math.max(0, size + by);
    return mapBody(
      reply,
      async function* resize(pieces) {
        if (resized > 0) yield* firstBytes(pieces, resized);
        if (by > 0) yield new Uint8Array(by);
      },
      resized,
    );
  });
}

/** Options of {@link slowAnswers}. */
export interface SlowOptions extends FaultOptions {
  /** Milliseconds before the answer. Default: 0. */
  delay?: number | undefined;
  /** The speed of a body. Default: no limit. */
  bytesPerSecond?: number | undefined;
}

/**
 * Delays an answer, and sends its body slowly.
 *
 * @example
 * server.inject(slowAnswers({ delay: 200, bytesPerSecond: 100_000 }));
 */
export function slowAnswers(options: SlowOptions): Middleware {
  const { delay = 0, bytesPerSecond } = options;
  return faultOf(options, async (exchange, next) => {
    await pause(delay, exchange.signal);
    const reply = await next(exchange);
    if (bytesPerSecond === undefined || sizeOfBody(reply) === undefined) return reply;
    return mapBody(reply, async function* slow(pieces) {
      // Twenty pieces a second are smooth enough, and exact at any speed.
      const most = Math.max(1, Math.floor(bytesPerSecond / 20));
      for await (const piece of pieces) {
        for (let at = 0; at < piece.length; at += most) {
          const part = piece.subarray(at, at + most);
          await pause((part.length / bytesPerSecond) * 1000, exchange.signal);
          yield part;
        }
      }
    });
  });
}

/** Waits for this time, or until the client disconnects. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    const forget = onAbort(signal, end);
  });
}

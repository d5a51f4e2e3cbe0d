import { ConnectionCut } from '../http/server/index.ts';
import type { Exchange, Middleware, Reply } from '../http/server/index.ts';
import { errorBody, parsePath } from '../http/wire/index.ts';
import type { Route } from '../http/wire/index.ts';
import { isErrorCode, statusOfCode } from '../model/index.ts';
import type { ErrorCode } from '../model/index.ts';

import { brokenBody, mapBody, sizeOfBody } from './reply-bodies.ts';

/** Which requests a fault befalls. All of those that are left out: every request, every time. */
export interface FaultOptions {
  /** `GET`, `PUT` … */
  methods?: readonly string[] | undefined;
  /** `blob`, `manifest`, `upload` … */
  resources?: readonly Route['resource'][] | undefined;
  when?: ((exchange: Exchange) => boolean) | undefined;
  /** How often it befalls requests of one method and path: the first so many. */
  times?: number | undefined;
}

/**
 * Makes a fault of a middleware: it befalls those requests that the options name, the others pass.
 * All faults are middleware of the server: `createServer(registry, { middleware: [fault] })`, or `TestServer.inject`.
 */
export function faultOf(options: FaultOptions, middleware: Middleware): Middleware {
  const { methods, resources, when, times = Number.POSITIVE_INFINITY } = options;
  const counts = new Map<string, number>();
  return (exchange, next) => {
    const { method, path } = exchange;
    const isMeant =
      (methods === undefined || methods.includes(method)) &&
      (resources === undefined || resources.includes(resourceAt(path) ?? 'base')) &&
      (when === undefined || when(exchange));
    const key = `${method} ${path}`;
    const count = counts.get(key) ?? 0;
    if (!isMeant || count >= times) return next(exchange);
    counts.set(key, count + 1);
    return middleware(exchange, next);
  };
}

function resourceAt(path: string): Route['resource'] | undefined {
  try {
    return parsePath(path)?.resource;
  } catch {
    // A malformed name, which the server will refuse.
    return undefined;
  }
}

export interface RefuseOptions extends FaultOptions {
  /** An error code, whose status is the answer's, or a status without a body. Default: UNAVAILABLE, 503. */
  as?: ErrorCode | number | undefined;
  /** The value of `Retry-After`: seconds, or a date. */
  retryAfter?: string | undefined;
}

/**
 * Answers with an error in place of the registry.
 *
 * @example
 * server.inject(refuseRequests({ times: 1 })); // each path is answered 503 first
 */
export function refuseRequests(options: RefuseOptions = {}): Middleware {
  const { as = 'UNAVAILABLE', retryAfter } = options;
  const headers: Reply['headers'] = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
  return faultOf(options, async () => {
    if (!isErrorCode(as)) return { status: as, headers: { ...headers, 'Content-Length': '0' } };
    const body = errorBody({ errors: [{ code: as, message: 'as the test wants it' }] });
    headers['Content-Type'] = 'application/json';
    return { status: statusOfCode[as], headers: { ...headers, 'Content-Length': `${body.length}` }, body };
  });
}

export interface CutOptions extends FaultOptions {
  /** How many bytes of the body come through before; 0: the request is answered, but no byte of the answer is sent. Default: half. */
  after?: number | 'half' | undefined;
}

/** Ends the connection in the middle of an answer's body, though all of it was announced. An answer to HEAD has none. */
export function cutAnswers(options: CutOptions = {}): Middleware {
  return faultOf(options, async (exchange, next) => {
    const reply = await next(exchange);
    const size = sizeOfBody(reply);
    if (size === undefined) return reply;
    const after = atOf(options.after ?? 'half', size);
    if (after === 0) return brokenReply(reply);
    if (after >= size) return reply;
    return mapBody(reply, async function* cut(pieces) {
      yield* firstBytes(pieces, after);
      // With the connection goes what has not left yet: the server takes this piece when there is room, and a moment does the rest.
      yield new Uint8Array();
      await pause(10, exchange.signal);
      throw new ConnectionCut('cut off, as the test wants it');
    });
  });
}

/**
 * Ends the connection in the middle of a request's body. The registry gets what came before, and nobody is told.
 * A request without a body is not answered at all.
 *
 * @param options `after` is in bytes; half of a body can be told only if the request has a `Content-Length`
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

/** No byte of it is sent: the server ends the connection. */
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

export interface RedirectOptions extends FaultOptions {
  /**
   * `https://HOST[:PORT]`, where the same path and query are asked for; requests that name this host pass. A test
   * server has to know the host: by `domains` or `allowedHosts`. Default: here, once.
   */
  to?: string | undefined;
  /** Default: 307. */
  status?: 301 | 302 | 303 | 307 | 308 | undefined;
}

/** Answers that the resource is found elsewhere. */
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

export interface CorruptOptions extends FaultOptions {
  /** Which byte of the body is another one. Default: the one in its middle. */
  at?: number | 'half' | undefined;
}

/** Changes one byte of what is read. Its announced digest and size stay. Errors are left as they are. */
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

export interface ResizeOptions extends FaultOptions {
  /** Bytes more, or fewer if it is negative. */
  by: number;
}

/** Answers with more or fewer bytes than there are, and announces just as many: to HTTP nothing is wrong. Errors are left as they are. */
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

export interface SlowOptions extends FaultOptions {
  /** Milliseconds before the answer. Default: 0. */
  delay?: number | undefined;
  /** How fast a body comes; the default is as fast as it can. */
  bytesPerSecond?: number | undefined;
}

/** Takes its time, before an answer and with its body. */
export function slowAnswers(options: SlowOptions): Middleware {
  const { delay = 0, bytesPerSecond } = options;
  return faultOf(options, async (exchange, next) => {
    await pause(delay, exchange.signal);
    const reply = await next(exchange);
    if (bytesPerSecond === undefined || sizeOfBody(reply) === undefined) return reply;
    return mapBody(reply, async function* slow(pieces) {
      // Twenty times a second is smooth enough, and lets any speed come out right.
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

/** Also ends when the client leaves. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}

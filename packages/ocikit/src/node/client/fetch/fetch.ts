// A `fetch` over node:http and node:https, for clients on Node.
import { takesIterables } from '../../../http/wire/index.ts';
import type { Fetch } from '../../../http/wire/index.ts';

import { Connections } from './connections.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { HttpCall } from './http-call.ts';
import { contentOf } from './request-body.ts';
import type { RequestContent } from './request-body.ts';
import { responseOf } from './response.ts';

/** Options of {@link nodeFetch}. */
export interface NodeFetchOptions extends ConnectionOptions {
  /**
   * Milliseconds for which the server may be silent: take no byte of the request's body, and send no byte of the
   * response. Pauses of the caller do not count. Default: 300,000.
   */
  idleTimeout?: number | undefined;
}

/** A `fetch` that keeps its connections open for further requests. */
export interface NodeFetch extends Fetch, Disposable {
  /** Sends a request, which may be a `Request` too. The parts in `init` replace those of the `Request`. */
  (input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** The body of a request may be an AsyncIterable of bytes. */
  readonly [takesIterables]: true;
  /** Closes all connections, also those in use. Optional: unused connections do not keep the process alive. */
  close(): void;
}

/**
 * Creates a `fetch` over `node:http` and `node:https`. It is faster with large bodies than Node's own, and supports
 * private certificate authorities, client certificates, proxies and fixed addresses. It never follows redirects,
 * whatever `redirect` says. `Response.body` is what came: it is not decoded by `Content-Encoding`. The client decodes
 * it.
 *
 * It rejects like `fetch`: with the signal's reason, with the error of the request's body, or else with a TypeError
 * whose `cause` is Node's error.
 *
 * @example
 * const registry = createClient({ host: 'registry.example.com', fetch: nodeFetch({ ca: await readFile('ca.pem') }) });
 */
export function nodeFetch(options: NodeFetchOptions = {}): NodeFetch {
  const connections = new Connections(options);
  const { idleTimeout = 300_000 } = options;
  const send = async (input: string | URL | Request, given: RequestInit = {}): Promise<Response> => {
    const target = new URL(input instanceof Request ? input.url : input);
    const init = input instanceof Request ? initOf(input, given) : given;
    if (target.protocol !== 'http:' && target.protocol !== 'https:') {
      throw new TypeError(`fetch failed: the protocol ${target.protocol} is not supported, only http: and https:`);
    }
    if (target.username !== '' || target.password !== '') {
      throw new TypeError('fetch failed: the URL contains credentials; send them in the Authorization header');
    }
    const { signal } = init;
    signal?.throwIfAborted();
    const body = await contentOf(init.body);
    const method = methodOf(init);
    for (;;) {
      const call = new HttpCall(connections.request(target, method, headersOf(init, body)), body, idleTimeout);
      try {
        return responseOf(await call.run(signal ?? undefined), target, init, call);
      } catch (error) {
        if (!call.mayBeRepeated(method)) throw error;
      }
    }
  };
  const close = (): void => connections.close();
  return Object.assign(send, { [takesIterables]: true as const, close, [Symbol.dispose]: close });
}

/** The parts of a `Request`, replaced by those given beside it. As in `fetch`, undefined counts as not given. */
function initOf({ method, headers, body, redirect, signal }: Request, given: RequestInit): RequestInit {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { method, headers, body, redirect, signal, ...Object.fromEntries(present) };
}

function methodOf({ method = 'GET' }: RequestInit): string {
  // As in `fetch`: these methods may be written in lower case, PATCH may not.
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function headersOf(init: RequestInit, { content, size, type }: RequestContent): Record<string, string> {
  const headers: Record<string, string> = Object.fromEntries(new Headers(init.headers));
  if (type !== undefined && type !== '') headers['content-type'] ??= type;
  if (content === undefined) return headers;
  if (size !== undefined) headers['content-length'] = `${size}`;
  // For methods that usually have no body, Node would not mark its end.
  else if (headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  return headers;
}

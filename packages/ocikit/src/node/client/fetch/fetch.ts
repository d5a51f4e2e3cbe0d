import { takesIterables } from '../../../http/wire/index.ts';
import type { Fetch } from '../../../http/wire/index.ts';

import { Connections } from './connections.ts';
import type { ConnectionOptions } from './connections.ts';
import { HttpCall } from './http-call.ts';
import { contentOf } from './request-body.ts';
import type { RequestContent } from './request-body.ts';
import { responseOf } from './response.ts';

export interface NodeFetchOptions extends ConnectionOptions {
  /**
   * Milliseconds for which the other side may take nothing of a body and send nothing of an answer. Own pauses do not
   * count. Default: 300,000.
   */
  idleTimeout?: number | undefined;
}

/** A `fetch` that keeps connections. */
export interface NodeFetch extends Fetch, Disposable {
  readonly [takesIterables]: true;
  /** Ends all connections, also those in use. It need not be called: unused ones do not keep the process alive. */
  close(): void;
}

/**
 * A `fetch` over `node:http` and `node:https`: faster with large bodies than Node's own, and it knows authorities, proxies and
 * addresses. It follows no redirects, whatever `redirect` says, and decodes no `Content-Encoding`.
 *
 * It rejects as `fetch` does: with the signal's reason, with a body's own error, else with a TypeError whose `cause` is what
 * Node said.
 *
 * @example
 * const registry = createClient({ host: 'registry.example.com', fetch: nodeFetch({ ca: await readFile('ca.pem') }) });
 */
export function nodeFetch(options: NodeFetchOptions = {}): NodeFetch {
  const connections = new Connections(options);
  const { idleTimeout = 300_000 } = options;
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const target = new URL(url);
    if (target.protocol !== 'http:' && target.protocol !== 'https:') {
      throw new TypeError(`fetch failed: nothing is known of ${target.protocol}`);
    }
    if (target.username !== '' || target.password !== '') {
      throw new TypeError('fetch failed: credentials belong in a header, not in a URL');
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

function methodOf({ method = 'GET' }: RequestInit): string {
  // As `fetch` does: PATCH is the only one that has to be written in capitals.
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function headersOf(init: RequestInit, { content, size, type }: RequestContent): Record<string, string> {
  const headers: Record<string, string> = Object.fromEntries(new Headers(init.headers));
  if (type !== undefined && type !== '') headers['content-type'] ??= type;
  if (content === undefined) return headers;
  if (size !== undefined) headers['content-length'] = `${size}`;
  // A method that usually has no body would be sent without saying where it ends.
  else if (headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  return headers;
}

import { readSource } from '../../model/index.ts';

import type { Exchange, Reply } from './exchange.ts';

export type FetchHandler = (request: Request) => Promise<Response>;

/** Request → Response: Deno, Bun, Workers, browsers' service workers, and any framework. */
export function fetchHandler(handle: (exchange: Exchange) => Promise<Reply>): FetchHandler {
  return async (request) => {
    // Not `new URL`, which would tidy the path up.
    const [, path = '/', query = ''] = /^[^:]+:\/\/[^/?#]*([^?#]*)(?:\?([^#]*))?/.exec(request.url) ?? [];
    const reply = await handle({
      method: request.method,
      path,
      query,
      header: (name) => request.headers.get(name) ?? undefined,
      body: request.body === null ? undefined : readSource(request.body),
      signal: request.signal,
    });
    return responseOf(reply);
  };
}

function responseOf({ status, headers, body }: Reply): Response {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) all.append(name, one);
  }
  return new Response(bodyOf(body), { status, headers: all });
}

function bodyOf(body: Reply['body']): BodyInit | null {
  if (body === undefined) return null;
  if (typeof body === 'string') return body;
  // A copy, as its buffer may be shared, which a Response does not take.
  return body instanceof Uint8Array ? new Uint8Array(body) : body.stream();
}

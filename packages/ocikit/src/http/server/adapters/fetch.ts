// The adapter for `Request` and `Response`.
import { readSource } from '../../../model/index.ts';
import { plainAddress } from '../shared/index.ts';
import type { Exchange, FetchHandler, Reply } from '../shared/index.ts';

/** Returns the handler for Deno, Bun, Workers, service workers and frameworks with `Request` and `Response`. */
export function fetchHandler(
  handle: (exchange: Exchange) => Promise<Reply>,
  onBodyError: (error: unknown, exchange: Exchange) => void,
): FetchHandler {
  return async (request, runtime) => {
    // Do not parse with `new URL`: it would normalize the path.
    const [, authority, path = '/', query = ''] = /^[^:]+:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/.exec(request.url) ?? [];
    const exchange: Exchange = {
      method: request.method,
      path,
      query,
      header: (name) => request.headers.get(name) ?? undefined,
      authority,
      body: request.body === null ? undefined : readSource(request.body),
      signal: request.signal,
      ...connectionOf(request, runtime),
    };
    const reply = await handle(exchange);
    return responseOf(reply, (error) => onBodyError(error, exchange));
  };
}

/** Returns the other end of a request's connection, as far as the runtime tells. */
function connectionOf(request: Request, runtime: unknown): Pick<Exchange, 'remoteAddress' | 'tls'> {
  const passed: Runtime = typeof runtime === 'object' && runtime !== null ? runtime : {};
  const address = addressOf(request, passed);
  const tls = passed.tls ?? (request.url.startsWith('https:') ? {} : undefined);
  return {
    ...(typeof address === 'string' && { remoteAddress: plainAddress(address) }),
    ...(tls !== undefined && { tls }),
  };
}

/** The object that a runtime passes beside a request: each knows one of these fields. */
interface Runtime extends Pick<Exchange, 'remoteAddress' | 'tls'> {
  remoteAddr?: { hostname?: unknown } | null;
  requestIP?: (request: Request) => { address: string } | null;
}

/**
 * Deno passes `remoteAddr`, Bun an object that is asked for the address. Cloudflare, which alone makes requests with
 * `cf`, sets a header of its own.
 */
function addressOf(request: Request, runtime: Runtime): unknown {
  const { remoteAddress, remoteAddr, requestIP } = runtime;
  if (remoteAddress !== undefined) return remoteAddress;
  if (remoteAddr?.hostname !== undefined) return remoteAddr.hostname;
  if (typeof requestIP === 'function') return requestIP.call(runtime, request)?.address;
  return 'cf' in request && request.cf !== undefined ? request.headers.get('cf-connecting-ip') : undefined;
}

function responseOf({ status, headers, body }: Reply, onError: (error: unknown) => void): Response {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) all.append(name, one);
  }
  return new Response(bodyOf(body, onError), { status, headers: all });
}

function bodyOf(body: Reply['body'], onError: (error: unknown) => void): BodyInit | null {
  if (body === undefined) return null;
  if (typeof body === 'string') return body;
  // Copy the bytes: a Response does not take a SharedArrayBuffer.
  if (body instanceof Uint8Array) return new Uint8Array(body);
  const reader = body.stream().getReader();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          onError(error);
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

// Requests to paths that the distribution specification does not have, such as a registry's extensions.
import { RegistryError } from '../../model/index.ts';
import type { CallOptions } from '../../model/index.ts';
import { lengthIn } from '../wire/index.ts';
import type { Scope } from '../wire/index.ts';

import { urlIn } from './shared/index.ts';
import type { ClientResponse } from './shared/index.ts';
import { isRead } from './transport/index.ts';
import type { ClientRequest, Transport } from './transport/index.ts';

/** Options of {@link Client.request}. */
export interface RawRequestOptions extends CallOptions {
  /** The method. Default: `GET`. */
  method?: ClientRequest['method'] | undefined;
  /**
   * Headers besides those that each request of the client has. Default: none. `Authorization` comes from the client's
   * `credentials`.
   */
  headers?: Readonly<Record<string, string>> | undefined;
  /** The body. Default: none. */
  body?: string | Uint8Array | undefined;
  /**
   * The permissions that a token needs, such as `[{ type: 'repository', resource: 'team/app', action: 'pull' }]`.
   * Default: those that the registry asks for in its challenge.
   */
  scope?: Scope | undefined;
  /**
   * Whether the request may be sent again after a cut connection or a status from 500 up. Default: true for GET and
   * HEAD.
   */
  repeatable?: boolean | undefined;
}

/** Statuses of success. */
const success = [200, 201, 202, 203, 204, 205, 206];

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE']);

/** Headers of secrets. A redirect would take them to another host. */
const secretHeaders = ['authorization', 'proxy-authorization', 'cookie'];

/** Bytes of a body that is read at once, so that a caller who ignores it holds no connection. */
const shortBody = 64 * 1024;

/**
 * Sends a request to a path of the registry.
 *
 * @throws RegistryError NAME_INVALID if the path does not start with `/`, or leads to another host; TypeError if an
 * option cannot be used
 */
export async function rawRequest(
  transport: Transport,
  path: string | URL,
  { method = 'GET', headers, body, scope = [], repeatable, ...call }: RawRequestOptions,
): Promise<Response> {
  const text = String(path);
  const url = text.startsWith('/') ? urlIn(text, transport.base) : undefined;
  if (url === undefined || url.origin !== transport.base.origin) {
    const shown = JSON.stringify(text.slice(0, 300));
    throw new RegistryError('NAME_INVALID', `${shown} is not a path of the registry, such as /v2/_catalog`);
  }
  if (!methods.has(method))
    throw new TypeError(`the method ${JSON.stringify(method)} is none of ${[...methods].join(', ')}`);
  const bytes = bytesOf(body);
  if (bytes !== undefined && isRead(method)) throw new TypeError(`a request by ${method} has no body`);
  const response = await transport.send({
    method,
    url,
    scope,
    headers: headersOf(headers),
    body: bytes && { size: bytes.length, reopenable: true, open: () => bytes },
    expect: success,
    call,
    repeatable,
  });
  return responseOf(method, response);
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (body === undefined || body instanceof Uint8Array) return body;
  if (typeof body === 'string') return new TextEncoder().encode(body);
  throw new TypeError('the body has to be a string or a Uint8Array; content is pushed with pushBlob');
}

function headersOf(given: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const headers = new Headers(given);
  for (const name of secretHeaders) {
    if (headers.has(name)) throw new TypeError(`the header ${name} is the client's: use its option \`credentials\``);
  }
  return Object.fromEntries(headers);
}

async function responseOf(method: string, response: ClientResponse): Promise<Response> {
  const { status, headers: sent } = response;
  const headers = new Headers(sent);
  // The body that the caller gets is decoded.
  if (response.isEncoded) for (const name of ['content-encoding', 'content-length']) headers.delete(name);
  if (method === 'HEAD' || status === 204 || status === 205) {
    await response.discard();
    return new Response(null, { status, headers });
  }
  const isShort = (lengthIn(response) ?? Number.POSITIVE_INFINITY) <= shortBody && !response.isEncoded;
  const body = isShort ? new Uint8Array(await response.bytes(shortBody)) : streamOf(response.body());
  return new Response(body, { status, headers });
}

/** A stream that begins to read when its reader does. */
function streamOf(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const next = await pieces.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

import type { Exchange, Middleware, Reply } from '../src/http/server/index.ts';
import { parsePath } from '../src/http/wire/index.ts';
import type { Route } from '../src/http/wire/index.ts';

/**
 * What other registries do differently, as middleware of our own server. The options of the server have some more:
 * `disableReferrersApi`, `disableSinglePostUpload`, `omitDigestFromTagGetResponse`, `omitLinkHeaderFromResponses`.
 */

/** `Docker-Content-Digest` is nowhere. ECR leaves it out of manifests, some proxies out of everything. */
export const withoutDigests: Middleware = changing((reply) => without(reply, 'Docker-Content-Digest'));

/** Every answer is sent in chunks, without its length: proxies that compress or scan do so. */
export const chunked: Middleware = changing((reply) => without(reply, 'Content-Length'));

/** Types have parameters. RFC 9110, section 8.3.1. */
export const withTypeParameters: Middleware = changing((reply) => {
  const type = header(reply, 'Content-Type');
  return type === undefined ? reply : withHeader(reply, 'Content-Type', `${type}; charset=utf-8`);
});

/** A range gets the whole blob, with 200. */
export const ignoringRanges: Middleware = (exchange, next) =>
  next(asking(exchange, { header: (name) => (name === 'range' ? undefined : exchange.header(name)) }));

/** A range gets another part than was asked for, and the answer says so: it starts so many bytes too late. */
export function shiftingRanges(by: number): Middleware {
  return (exchange, next) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(exchange.header('range') ?? '');
    if (range === null) return next(exchange);
    const shifted = `bytes=${Number(range[1]) + by}-${range[2]}`;
    return next(asking(exchange, { header: (name) => (name === 'range' ? shifted : exchange.header(name)) }));
  };
}

/** Only ranges whose two ends are said and are there are understood, as by the registry of go-containerregistry. */
export function refusingOpenRanges(size: number): Middleware {
  return async (exchange, next) => {
    const range = exchange.header('range');
    const [, end] = /^bytes=\d+-(\d+)$/.exec(range ?? '') ?? [];
    if (range === undefined || Number(end ?? size) < size) return next(exchange);
    return { status: 416, headers: { 'Content-Length': '0' } };
  };
}

/** The last bytes of the empty blob are a part whose range cannot be written down: `net/http` of Go answers so. */
export const withPartsOfNothing: Middleware = async (exchange, next) => {
  const reply = await next(exchange);
  return exchange.header('range')?.startsWith('bytes=-') === true && header(reply, 'Content-Length') === '0'
    ? { ...withHeader(reply, 'Content-Range', 'bytes 0--1/0'), status: 206 }
    : reply;
};

/** Whatever a push is verified by, its answer names this digest: Docker's registry names everything by sha256. */
export function namingStored(digest: string): Middleware {
  return async (exchange, next) => {
    const reply = await next(exchange);
    return exchange.method === 'PUT' ? withHeader(reply, 'Docker-Content-Digest', digest) : reply;
  };
}

/** The first question about an upload ends it, as in Docker's registry, where a cut has left it elsewhere than it thinks. */
export function losingUploads(): Middleware {
  let lost: string | undefined;
  return async (exchange, next) => {
    const isUpload = routeOf(exchange)?.resource === 'upload';
    if (isUpload && exchange.method === 'GET') lost ??= exchange.path;
    if (!isUpload || exchange.path !== lost) return next(exchange);
    const body = JSON.stringify({ errors: [{ code: 'BLOB_UPLOAD_INVALID', message: 'blob upload invalid' }] });
    return { status: 404, headers: { 'Content-Type': 'application/json', 'Content-Length': `${body.length}` }, body };
  };
}

/** Lists ignore these parameters: Google's ignore both `n` and `last`, and give no `Link`. */
export function ignoringParameters(...names: string[]): Middleware {
  return async (exchange, next) => {
    const query = new URLSearchParams(exchange.query);
    for (const name of names) query.delete(name);
    const reply = await next(asking(exchange, { query: query.toString() }));
    return without(reply, 'Link');
  };
}

/** A list goes on at this place, whatever it is. */
export function linking(target: string): Middleware {
  return changing((reply, { resource }) =>
    resource === 'tags' || resource === 'catalog' ? withHeader(reply, 'Link', `<${target}>; rel="next"`) : reply,
  );
}

/** HEAD is refused with 405, as by proxies that let only GET pass. */
export const withoutHead: Middleware = async (exchange, next) =>
  exchange.method === 'HEAD' ? { status: 405, headers: { 'Content-Length': '0' } } : next(exchange);

/** HEAD is answered without the length and the digest. */
export const bareHead: Middleware = async (exchange, next) => {
  const reply = await next(exchange);
  return exchange.method === 'HEAD' ? without(without(reply, 'Content-Length'), 'Docker-Content-Digest') : reply;
};

/** Errors are pages, as those of a proxy before the registry. */
export const withHtmlErrors: Middleware = changing((reply) => {
  if (reply.status < 400) return reply;
  const body = '<html><body>nothing to see here</body></html>';
  return { status: reply.status, headers: { 'Content-Type': 'text/html', 'Content-Length': `${body.length}` }, body };
});

/** What was deleted is answered with this: some say 200 or 204. */
export function deletingWith(status: number): Middleware {
  return async (exchange, next) => {
    const reply = await next(exchange);
    if (exchange.method !== 'DELETE' || reply.status !== 202) return reply;
    return status === 204 ? { ...without(reply, 'Content-Length'), status } : { ...reply, status };
  };
}

/** Only this many bytes may come in one request: proxies such as nginx and Cloudflare answer more with 413. */
export function acceptingAtMost(bytes: number): Middleware {
  return async (exchange, next) => {
    const body = '<html>413 Request Entity Too Large</html>';
    if (Number(exchange.header('content-length') ?? 0) <= bytes) return next(exchange);
    return { status: 413, headers: { 'Content-Type': 'text/html', 'Content-Length': `${body.length}` }, body };
  };
}

/** Uploads want chunks of at least this, but for the last, and say so. Distribution specification, "Pushing a blob in chunks". */
export function wantingChunks(bytes: number): Middleware {
  const atEnd = new Set<string>();
  return async (exchange, next) => {
    const { method, path } = exchange;
    if (method === 'PATCH') {
      // A chunk that is too small can only have been the last one.
      if (atEnd.has(path)) return { status: 416, headers: { 'Content-Length': '0' } };
      if (Number(exchange.header('content-length') ?? Number.NaN) < bytes) atEnd.add(path);
    }
    const reply = await next(exchange);
    return routeOf(exchange)?.resource === 'uploads' ? withHeader(reply, 'OCI-Chunk-Min-Length', `${bytes}`) : reply;
  };
}

/** `tag=` means nothing to it: only the reference in the path is set, and no `OCI-Tag` is answered. */
export const ignoringTagParameters: Middleware = async (exchange, next) => {
  const query = new URLSearchParams(exchange.query);
  query.delete('tag');
  return without(await next(asking(exchange, { query: query.toString() })), 'OCI-Tag');
};

/** Mounting is answered with an upload, always. */
export const withoutMounts: Middleware = (exchange, next) => {
  const query = new URLSearchParams(exchange.query);
  query.delete('mount');
  query.delete('from');
  return next(asking(exchange, { query: query.toString() }));
};

/** Only what the specification says of an upload's progress is answered, and `Range: 0-0` may be one byte or none. */
export const withoutUploadOffsets: Middleware = changing((reply) => without(reply, 'Upload-Offset'));

/** An upload's location has a query of its own, another one with each answer, that has to come back: distribution's `_state`. */
export function withUploadState(): Middleware {
  const states = new Map<string, Set<string>>();
  let count = 0;
  return async (exchange, next) => {
    const route = routeOf(exchange);
    if (route?.resource !== 'upload' && route?.resource !== 'uploads') return next(exchange);
    const query = new URLSearchParams(exchange.query);
    if (route.resource === 'upload' && states.get(route.id)?.has(query.get('_state') ?? '') === false) {
      return { status: 400, headers: { 'Content-Length': '0' } };
    }
    query.delete('_state');
    const reply = await next(asking(exchange, { query: query.toString() }));
    const location = header(reply, 'Location');
    const upload = location === undefined ? undefined : routeAt(new URL(location, 'http://registry.test').pathname);
    if (upload?.resource !== 'upload') return reply;
    count++;
    // Characters that mean something in a query, and have to come back as they are.
    const state = `${count}+/=&`;
    states.set(upload.id, (states.get(upload.id) ?? new Set()).add(state));
    return withHeader(reply, 'Location', `${location}?_state=${encodeURIComponent(state)}`);
  };
}

/** Locations are whole URLs, as most registries give them. */
export const withAbsoluteLocations: Middleware = async (exchange, next) => {
  const reply = await next(exchange);
  const location = header(reply, 'Location');
  if (location?.startsWith('/') !== true) return reply;
  return withHeader(reply, 'Location', `http://${exchange.header('host') ?? ''}${location}`);
};

function changing(change: (reply: Reply, route: Partial<Route>) => Reply): Middleware {
  return async (exchange, next) => change(await next(exchange), routeOf(exchange) ?? {});
}

function asking(exchange: Exchange, changes: Partial<Pick<Exchange, 'query' | 'header'>>): Exchange {
  return { ...exchange, ...changes };
}

function header({ headers }: Reply, name: string): string | undefined {
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  return typeof found === 'object' ? found.join(', ') : found;
}

function without(reply: Reply, name: string): Reply {
  const kept = Object.entries(reply.headers).filter(([key]) => key.toLowerCase() !== name.toLowerCase());
  return { ...reply, headers: Object.fromEntries(kept) };
}

function withHeader(reply: Reply, name: string, value: string): Reply {
  return { ...reply, headers: { ...without(reply, name).headers, [name]: value } };
}

function routeOf({ path }: Exchange): Route | undefined {
  return routeAt(path);
}

function routeAt(path: string): Route | undefined {
  try {
    return parsePath(path);
  } catch {
    // A malformed name, which the server will refuse.
    return undefined;
  }
}

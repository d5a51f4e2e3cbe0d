// Peculiarities of other registries, as middleware of our own server. The options of the server have some more:
// `disableReferrersApi`, `disableSinglePostUpload`, `omitDigestFromTagGetResponse`, `omitLinkHeaderFromResponses`.
import type { Exchange, Middleware, Reply } from '../src/http/server/index.ts';
import { parsePath } from '../src/http/wire/index.ts';
import type { Route } from '../src/http/wire/index.ts';

/** No answer has `Docker-Content-Digest`. ECR omits it for manifests, some proxies for everything. */
export const withoutDigests: Middleware = changing((reply) => without(reply, 'Docker-Content-Digest'));

/** Every answer is sent in chunks, without its length: proxies that compress or scan do so. */
export const chunked: Middleware = changing((reply) => without(reply, 'Content-Length'));

/** Media types have parameters. RFC 9110, section 8.3.1. */
export const withTypeParameters: Middleware = changing((reply) => {
  const type = header(reply, 'Content-Type');
  return type === undefined ? reply : withHeader(reply, 'Content-Type', `${type}; charset=utf-8`);
});

/** A request for a range gets the whole blob, with 200. */
export const ignoringRanges: Middleware = (exchange, next) =>
  next(asking(exchange, { header: (name) => (name === 'range' ? undefined : exchange.header(name)) }));

/** A request for a range gets a part that starts this many bytes later, and the answer says so. */
export function shiftingRanges(by: number): Middleware {
  return (exchange, next) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(exchange.header('range') ?? '');
    if (range === null) return next(exchange);
    const shifted = `bytes=${Number(range[1]) + by}-${range[2]}`;
    return next(asking(exchange, { header: (name) => (name === 'range' ? shifted : exchange.header(name)) }));
  };
}

/** Only ranges with two ends within the blob are accepted, as in the registry of go-containerregistry. */
export function refusingOpenRanges(size: number): Middleware {
  return async (exchange, next) => {
    const range = exchange.header('range');
    const [, end] = /^bytes=\d+-(\d+)$/.exec(range ?? '') ?? [];
    if (range === undefined || Number(end ?? size) < size) return next(exchange);
    return { status: 416, headers: { 'Content-Length': '0' } };
  };
}

/** The last bytes of the empty blob have the range `0--1`, as from `net/http` of Go. */
export const withPartsOfNothing: Middleware = async (exchange, next) => {
  const reply = await next(exchange);
  return exchange.header('range')?.startsWith('bytes=-') === true && header(reply, 'Content-Length') === '0'
    ? { ...withHeader(reply, 'Content-Range', 'bytes 0--1/0'), status: 206 }
    : reply;
};

/** The answer to every push names this digest: Docker's registry answers with sha256 digests alone. */
export function namingStored(digest: string): Middleware {
  return async (exchange, next) => {
    const reply = await next(exchange);
    return exchange.method === 'PUT' ? withHeader(reply, 'Docker-Content-Digest', digest) : reply;
  };
}

/** The first GET of an upload ends it, as in Docker's registry after a connection was cut. */
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

/** Every list names this next page. */
export function linking(target: string): Middleware {
  return changing((reply, { resource }) =>
    resource === 'tags' || resource === 'catalog' ? withHeader(reply, 'Link', `<${target}>; rel="next"`) : reply,
  );
}

/** HEAD is refused with 405, as by proxies that let only GET pass. */
export const withoutHead: Middleware = async (exchange, next) =>
  exchange.method === 'HEAD' ? { status: 405, headers: { 'Content-Length': '0' } } : next(exchange);

/** Answers to HEAD have no length and no digest. */
export const bareHead: Middleware = async (exchange, next) => {
  const reply = await next(exchange);
  return exchange.method === 'HEAD' ? without(without(reply, 'Content-Length'), 'Docker-Content-Digest') : reply;
};

/** Errors are HTML pages, as those of a proxy before the registry. */
export const withHtmlErrors: Middleware = changing((reply) => {
  if (reply.status < 400) return reply;
  const body = '<html><body>nothing to see here</body></html>';
  return { status: reply.status, headers: { 'Content-Type': 'text/html', 'Content-Length': `${body.length}` }, body };
});

/** Deletions are answered with this status: some registries use 200 or 204. */
export function deletingWith(status: number): Middleware {
  return async (exchange, next) => {
    const reply = await next(exchange);
    if (exchange.method !== 'DELETE' || reply.status !== 202) return reply;
    return status === 204 ? { ...without(reply, 'Content-Length'), status } : { ...reply, status };
  };
}

/** A request may have at most this many bytes: proxies such as nginx and Cloudflare answer larger ones with 413. */
export function acceptingAtMost(bytes: number): Middleware {
  return async (exchange, next) => {
    const body = '<html>413 Request Entity Too Large</html>';
    if (Number(exchange.header('content-length') ?? 0) <= bytes) return next(exchange);
    return { status: 413, headers: { 'Content-Type': 'text/html', 'Content-Length': `${body.length}` }, body };
  };
}

/**
 * Uploads demand chunks of at least this many bytes, except for the last one, and announce it.
 * Distribution specification, "Pushing a blob in chunks".
 */
export function wantingChunks(bytes: number): Middleware {
  const atEnd = new Set<string>();
  return async (exchange, next) => {
    const { method, path } = exchange;
    if (method === 'PATCH') {
      // A chunk that is too small must be the last one.
      if (atEnd.has(path)) return { status: 416, headers: { 'Content-Length': '0' } };
      if (Number(exchange.header('content-length') ?? Number.NaN) < bytes) atEnd.add(path);
    }
    const reply = await next(exchange);
    return routeOf(exchange)?.resource === 'uploads' ? withHeader(reply, 'OCI-Chunk-Min-Length', `${bytes}`) : reply;
  };
}

/** The parameter `tag` is ignored: only the reference in the path is set, and no answer has `OCI-Tag`. */
export const ignoringTagParameters: Middleware = async (exchange, next) => {
  const query = new URLSearchParams(exchange.query);
  query.delete('tag');
  return without(await next(asking(exchange, { query: query.toString() })), 'OCI-Tag');
};

/** Every mount is answered with an upload. */
export const withoutMounts: Middleware = (exchange, next) => {
  const query = new URLSearchParams(exchange.query);
  query.delete('mount');
  query.delete('from');
  return next(asking(exchange, { query: query.toString() }));
};

/** An upload's progress is in `Range` alone, as in the specification, where `0-0` may mean one byte or none. */
export const withoutUploadOffsets: Middleware = changing((reply) => without(reply, 'Upload-Offset'));

/** An upload's location has a query that changes with each answer and has to be sent back: distribution's `_state`. */
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
    // Characters with a meaning in a query, which have to come back unchanged.
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

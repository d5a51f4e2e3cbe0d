// The options and limits of a server, with their units and defaults.
import type { Descriptor } from '../../../model/index.ts';

import type { Exchange, Middleware, Reply } from './exchange.ts';

/** The target of the server's log messages. `console` fits. */
export interface Logger {
  /** Takes one message for each request. Leave it out for no messages about requests. */
  info?: ((message: string, fields: Readonly<Record<string, unknown>>) => void) | undefined;
  /** Takes messages about conditions that need attention. */
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** Takes one message for each error that the client did not cause. */
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Limits that protect a server from its clients. */
export interface ServerLimits {
  /**
   * Bytes that a pushed manifest may have. A larger one is answered 413. Default: 4,194,304 (4 MiB), the minimum of the
   * distribution specification.
   */
  manifestSize?: number | undefined;
  /**
   * Tags that one push may set with its path and its `tag=` parameters. More are answered 414, and a client then sets
   * its tags with further pushes. Default: 100.
   */
  tagsPerPush?: number | undefined;
  /**
   * Number of requests that may send content at the same time. One more waits for up to 4 s, then it is answered 429.
   * At most three quarters of them may be slower than `bodyRate`. Default: 1000.
   */
  concurrentUploads?: number | undefined;
  /**
   * Number of requests that may send content at the same time from one address. One more is answered 429. It applies
   * only where the address is known: not on loopback, nor to a request that a proxy passes on. Default: half of
   * `concurrentUploads`.
   */
  uploadsPerAddress?: number | undefined;
  /**
   * Milliseconds that a request's body may pause before it is answered 408, and that a client may read nothing of an
   * answer before the connection ends. Default: 60,000.
   */
  bodyTimeout?: number | undefined;
  /**
   * Bytes per second that a request's body must have, over each `bodyTimeout` in which the server waits for it. A
   * slower one is answered 408. Default: 1024.
   */
  bodyRate?: number | undefined;
  /**
   * Bytes of memory for received content that is not stored yet. If they run out, clients have to wait; after 10 s a
   * request is answered 429. Default: 134,217,728 (128 MiB).
   */
  receivedBytes?: number | undefined;
  /**
   * Milliseconds for which clients may reuse an idle connection. `Keep-Alive` tells it in whole seconds. The server
   * closes the connection a quarter later, so that no request meets a closing connection. Set it above the time for
   * which a load balancer in front keeps idle connections. It applies to `serve`, and to `createServer`'s
   * `connection`. Minimum: 1000. Default: 60,000; the server then closes after 75,000.
   */
  keepAliveTimeout?: number | undefined;
  /** Entries on one page of a list: the default, and the maximum a client may ask for. Default: 10,000. */
  pageSize?: number | undefined;
}

/**
 * Options of a server.
 *
 * @example
 * const server = createServer(registry, { logger: console, limits: { manifestSize: 8 * 1024 * 1024 } });
 */
export interface ServerOptions {
  /** Limits on what clients may send and ask for. Default: each limit's own default. */
  limits?: ServerLimits | undefined;
  /** Takes a message for each request and each error. Default: no log. */
  logger?: Logger | undefined;
  /** Called with every error that the client did not cause. Default: not called. */
  onError?: ((error: unknown, exchange: Exchange) => void) | undefined;
  /** Functions that run around every request; the first one is outermost. Default: none. */
  middleware?: readonly Middleware[] | undefined;
  /** Texts of the `Warning` headers of every answer. Clients show them to their users. Default: none. */
  warnings?: readonly string[] | ((exchange: Exchange) => readonly string[]) | undefined;
  /**
   * Host names that requests may ask for besides those of this machine: `localhost`, `*.localhost`, 127.0.0.0/8,
   * `[::1]`, `host.docker.internal`, `host.containers.internal`. An entry is a name or an address without a port,
   * `*.NAME` for all names below one, or `*` for any. A request for another host is answered 421, as it may come from a
   * web page that lets its own name resolve to this machine (DNS rebinding). Give `['*']` if your middleware
   * authenticates every request. Default: any host; for `serve` on a loopback address: its own `host`.
   */
  allowedHosts?: readonly string[] | undefined;
  /**
   * Origins of web pages that may change the registry, for example `https://ui.example.com`; `*` for any. A request
   * other than GET, HEAD and OPTIONS from a page of another origin is answered 403. Set it where you configure
   * CORS: the server itself sends no CORS headers. Default: none besides the server's own.
   */
  allowedOrigins?: readonly string[] | undefined;
  /** The name of this server in its log messages. Default: no name. */
  debugId?: string | undefined;
  /**
   * Returns the answer to a failed request, in place of `reply`, the server's own. It runs before the answer gets the
   * headers of every answer. If it throws, the server's own is sent. Default: the server's own.
   */
  writeError?: ((error: unknown, reply: Reply, exchange: Exchange) => Reply | Promise<Reply>) | undefined;

  /**
   * Refuse manifests with a media type or artifact type that RFC 6838 does not allow, such as `foo` or
   * `text/plain; charset=utf-8`, with 400 MANIFEST_INVALID. Default: false, as clients push such artifacts.
   */
  strictMediaTypes?: boolean | undefined;

  /** Answer 404 to the referrers API, and send no `OCI-Subject`, as registries without that API do. Default: false. */
  disableReferrersApi?: boolean | undefined;
  /**
   * Ignore the `artifactType` of requests for referrers, and send no `OCI-Filters-Applied`, as some registries do.
   * Default: false.
   */
  disableReferrersFiltering?: boolean | undefined;
  /** Ignore `n` and `last` and send each list whole, as some registries do. Default: false. */
  ignorePagination?: boolean | undefined;
  /**
   * Answer 202 to a POST with a digest and ignore its body, as some registries do. The client then sends the blob with
   * a PUT. Default: false.
   */
  disableSinglePostUpload?: boolean | undefined;
  /**
   * Entries that a client may ask for in one list. A larger `n` is answered 400, as some registries do. Default: a
   * larger `n` gets `limits.pageSize` entries.
   */
  maxListPageSize?: number | undefined;
  /** Leave `Docker-Content-Digest` out of the answer to a GET by tag, as some registries do. Default: false. */
  omitDigestFromTagGetResponse?: boolean | undefined;
  /** Leave `Link` out of lists, as some registries do. Default: false. */
  omitLinkHeaderFromResponses?: boolean | undefined;
  /**
   * Returns the absolute URL at which the client has to continue an upload. Undefined or an empty text: at this server.
   * Default: always at this server.
   */
  locationForUploadId?: ((id: string) => string | undefined | Promise<string | undefined>) | undefined;
  /**
   * Returns URLs from which clients can fetch content. The first `http:` or `https:` one is the `Location` after a
   * push, and the target of redirects of GET and HEAD. Default: the descriptor's `urls`.
   */
  locationsForDescriptor?:
    | ((isManifest: boolean, descriptor: Descriptor) => readonly string[] | Promise<readonly string[]>)
    | undefined;
}

/** {@link ServerLimits} with every default filled in. */
export type ResolvedLimits = { readonly [Name in keyof ServerLimits]-?: NonNullable<ServerLimits[Name]> };

/**
 * Milliseconds after which the server closes an idle connection: a quarter later than it tells clients, and at least a
 * second.
 */
export function idleTimeout(keepAliveTimeout: number): number {
  // A longer timer would fire at once.
  return Math.min(Math.max(keepAliveTimeout * 1.25, keepAliveTimeout + 1000), 2 ** 31 - 1);
}

/** Fills in the default of each limit that is left out. */
export function resolveLimits(limits: ServerLimits = {}): ResolvedLimits {
  const concurrentUploads = limits.concurrentUploads ?? 1000;
  return {
    manifestSize: limits.manifestSize ?? 4 * 1024 * 1024,
    tagsPerPush: limits.tagsPerPush ?? 100,
    concurrentUploads,
    uploadsPerAddress: limits.uploadsPerAddress ?? Math.ceil(concurrentUploads / 2),
    receivedBytes: limits.receivedBytes ?? 128 * 1024 * 1024,
    bodyRate: limits.bodyRate ?? 1024,
    bodyTimeout: limits.bodyTimeout ?? 60_000,
    keepAliveTimeout: Math.max(limits.keepAliveTimeout ?? 60_000, 1000),
    pageSize: limits.pageSize ?? 10_000,
  };
}

import type { Descriptor } from '../../../model/index.ts';

import type { Exchange, Middleware } from './exchange.ts';

/** Where the server's own words go; `console` fits. */
export interface Logger {
  /** A line for each request; none if it is left out. */
  info?: ((message: string, fields: Readonly<Record<string, unknown>>) => void) | undefined;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface ServerLimits {
  /** Bytes of a manifest that is pushed; more is answered 413. Default: 4 MiB, which the specification asks for. */
  manifestSize?: number | undefined;
  /** Requests that may send content at the same time; one more is answered 429. Default: 1000. */
  concurrentUploads?: number | undefined;
  /**
   * Milliseconds that a request's body may pause before it is answered 408, and that a client may take nothing of an
   * answer before the connection ends. A client that sends a byte now and then is not held up. Default: 60,000.
   */
  bodyTimeout?: number | undefined;
  /** Entries of a list if the client names no number, and at most. Default: 10,000. */
  pageSize?: number | undefined;
}

export interface ServerOptions {
  limits?: ServerLimits | undefined;
  /** One line for each request, and what goes wrong. Default: none. */
  logger?: Logger | undefined;
  /** Is told of every error that is no fault of the client's. */
  onError?: ((error: unknown, exchange: Exchange) => void) | undefined;
  /** The first one is outermost. */
  middleware?: readonly Middleware[] | undefined;
  /** Texts for `Warning` headers, which clients show to their users. */
  warnings?: readonly string[] | ((exchange: Exchange) => readonly string[]) | undefined;
  /** Names this server in its log lines. */
  debugId?: string | undefined;

  /** Answer as a registry that does not know the referrers API: 404, and no `OCI-Subject`. */
  disableReferrersApi?: boolean | undefined;
  /** Answer a POST with a digest 202, its body unread: the client then sends it with a PUT. */
  disableSinglePostUpload?: boolean | undefined;
  /** A list of more entries than this cannot be asked for: 400. As some registries do. */
  maxListPageSize?: number | undefined;
  /** Leave `Docker-Content-Digest` out of the answer to a GET by tag, and there only. As some registries do. */
  omitDigestFromTagGetResponse?: boolean | undefined;
  /** Leave `Link` out of lists. As some registries do. */
  omitLinkHeaderFromResponses?: boolean | undefined;
  /**
   * The absolute URL through which an upload goes on, wherever an upload's location is sent. Undefined or empty: this
   * server. Default: this server.
   */
  locationForUploadId?: ((id: string) => string | undefined | Promise<string | undefined>) | undefined;
  /**
   * URLs from which content can be fetched: the first is the `Location` after a push, and GET and HEAD are redirected to
   * it. Default: the descriptor's `urls`.
   */
  locationsForDescriptor?:
    | ((isManifest: boolean, descriptor: Descriptor) => readonly string[] | Promise<readonly string[]>)
    | undefined;
}

export interface ResolvedLimits {
  manifestSize: number;
  concurrentUploads: number;
  bodyTimeout: number;
  pageSize: number;
}

export function resolveLimits(limits: ServerLimits = {}): ResolvedLimits {
  return {
    manifestSize: limits.manifestSize ?? 4 * 1024 * 1024,
    concurrentUploads: limits.concurrentUploads ?? 1000,
    bodyTimeout: limits.bodyTimeout ?? 60_000,
    pageSize: limits.pageSize ?? 10_000,
  };
}

// A request and its reply as every part of the server sees them, and the middleware that runs between.
import type { BlobContent, Identity } from '../../../model/index.ts';

/**
 * A request, independent of the runtime. Each adapter makes one from its runtime's own objects.
 *
 * @example
 * const exchange: Exchange = {
 *   method: 'GET',
 *   path: '/v2/app/tags/list',
 *   query: 'n=10',
 *   header: () => undefined,
 *   body: undefined,
 *   signal: AbortSignal.timeout(10_000),
 * };
 * const reply = await createServer(registry).handle(exchange);
 */
export interface Exchange {
  /** The method in upper case, as the client sent it. */
  readonly method: string;
  /** The path as the client sent it: percent-encoded, without the query. */
  readonly path: string;
  /** The query without its question mark; empty if the request has none. */
  readonly query: string;
  /** Returns a header's value. `name` is in lower case. Several headers of one name are joined by commas. */
  header(name: string): string | undefined;
  /**
   * The host, and the port if it has one, of a request whose target is a whole URL. Default: the target is a path, so
   * that `Host` alone names them. RFC 9112, section 3.2.2.
   */
  readonly authority?: string | undefined;
  /** The body, to be read once; undefined if the request has none. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  /**
   * The IP address of the connection's other end, which may be a proxy. An IPv4 address has its dotted form, also if it
   * arrived as IPv6. Default: it is not known.
   */
  readonly remoteAddress?: string | undefined;
  /** The connection's TLS. Default: it has none, or another program in front ends it. */
  readonly tls?: TlsConnection | undefined;
  /** The caller. A middleware that authenticates sets it; the registry finds it in `CallOptions.context`. */
  identity?: Identity | undefined;
}

/** The TLS of a connection. */
export interface TlsConnection {
  /** The client's certificate. Default: it sent none, or none that the server's authorities vouch for. */
  readonly certificate?: ClientCertificate | undefined;
}

/** A client's certificate, which the server has verified. */
export interface ClientCertificate {
  /** The fields of the subject by their short names, such as `CN`. A repeated field is a list. */
  readonly subject: Readonly<Record<string, string | readonly string[]>>;
  /** Further names of the subject, each with its kind, such as `DNS:ci.example` or `URI:spiffe://example/ci`. */
  readonly subjectAltNames: readonly string[];
  /** The SHA-256 of the certificate in hexadecimal digits. */
  readonly fingerprint: string;
  /** The time at which the certificate ends. */
  readonly expires: Date;
}

/** The answer to a request, independent of the runtime. */
export interface Reply {
  /** The HTTP status, 200 to 599. */
  status: number;
  /** Headers by name. A list is sent as several headers of that name. */
  headers: Record<string, string | readonly string[]>;
  /** The body. Text is sent as UTF-8. The server leaves the body out of an answer to HEAD. */
  body?: string | Uint8Array | BlobContent | undefined;
}

/** The rest of the way of a request: the inner middleware, then the API. */
export type Next = (exchange: Exchange) => Promise<Reply>;

/**
 * A function that runs around every request. It may answer by itself, pass on another exchange, or change the reply.
 * An error that it throws becomes the answer.
 *
 * @example
 * const onlyWithKey: Middleware = async (exchange, next) => {
 *   if (exchange.header('x-api-key') !== key) throw new RegistryError('UNAUTHORIZED', 'send the key in X-API-Key');
 *   return next({ ...exchange, identity: identityOf('ci') });
 * };
 * const server = createServer(registry, { middleware: [onlyWithKey] });
 */
export type Middleware = (exchange: Exchange, next: Next) => Promise<Reply>;

/**
 * An error that ends the connection without an answer, or in the middle of one, as a broken network does. The body of a
 * {@link Reply} throws it. It is meant for tests.
 */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut';
}

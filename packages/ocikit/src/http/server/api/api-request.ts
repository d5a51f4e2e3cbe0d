// A request to one resource of the API, and the parts of it that several handlers read.
import { parseDigest, RegistryError } from '../../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../../model/index.ts';
import type { Route } from '../../wire/index.ts';
import type { ReceivedBody } from '../receiving/index.ts';
import type { Exchange, Reply, ResolvedLimits, ServerOptions } from '../shared/index.ts';

/** A request to one resource of the API, with everything that its handler needs. */
export interface ApiRequest<R extends Route = Route> {
  /** The request itself. */
  readonly exchange: Exchange;
  /** The resource that the path names. */
  readonly route: R;
  /** The parameters of the query. Handlers only read them: requests without a query share one object. */
  readonly query: URLSearchParams;
  /** The registry that the server serves. */
  readonly registry: Registry;
  /** The options of the server. */
  readonly options: ServerOptions;
  /** The limits of the server. */
  readonly limits: ResolvedLimits;
  /** Options for every call of the registry. */
  readonly call: CallOptions;
  /**
   * Runs a function that reads the body. Fails with TOOMANYREQUESTS if too many of them run already.
   *
   * @param length bytes of the body; undefined if they are not known
   */
  receive<T>(length: number | undefined, read: (body: ReceivedBody) => Promise<T>): Promise<T>;
}

/** Answers one method of one resource. */
export type Handler<R extends Route> = (request: ApiRequest<R>) => Promise<Reply>;

/** The route of the resource with this name. */
export type ResourceOf<Name extends Route['resource']> = Extract<Route, { resource: Name }>;

/**
 * Returns a parameter of the query that is a digest; undefined if the request does not have it.
 *
 * @throws RegistryError DIGEST_INVALID if it is malformed
 */
export function digestParameter(request: ApiRequest, name: string): Digest | undefined {
  const value = request.query.get(name);
  return value === null ? undefined : parseDigest(value);
}

/**
 * Returns the announced length of the body in bytes; undefined if it is not announced.
 *
 * @throws RegistryError SIZE_INVALID if it is malformed
 */
export function contentLength({ exchange }: ApiRequest): number | undefined {
  const header = exchange.header('content-length');
  if (header === undefined) return exchange.body === undefined ? 0 : undefined;
  if (!/^[0-9]+$/.test(header) || !Number.isSafeInteger(Number(header))) {
    throw new RegistryError('SIZE_INVALID', `Content-Length ${JSON.stringify(header)} is not a number of bytes`);
  }
  return Number(header);
}

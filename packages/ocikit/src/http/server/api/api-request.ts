import { parseDigest, RegistryError } from '../../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../../model/index.ts';
import type { Route } from '../../wire/index.ts';
import { BufferedBody } from '../shared/index.ts';
import type { Exchange, Reply, ResolvedLimits, ServerOptions } from '../shared/index.ts';

import { idleTimeout } from './body.ts';

/** One request to one resource of the API, with all that answering it needs. */
export interface ApiRequest<R extends Route = Route> {
  readonly exchange: Exchange;
  readonly route: R;
  readonly query: URLSearchParams;
  readonly registry: Registry;
  readonly options: ServerOptions;
  readonly limits: ResolvedLimits;
  /** To be passed to the registry with every call. */
  readonly call: CallOptions;
  /** Runs what reads a large body, if there is room for one more. */
  receive<T>(read: () => Promise<T>): Promise<T>;
}

export type Handler<R extends Route> = (request: ApiRequest<R>) => Promise<Reply>;

export type ResourceOf<Name extends Route['resource']> = Extract<Route, { resource: Name }>;

/** @throws RegistryError DIGEST_INVALID if the parameter is there and malformed */
export function digestParameter(request: ApiRequest, name: string): Digest | undefined {
  const value = request.query.get(name);
  return value === null ? undefined : parseDigest(value);
}

/** The announced length of the body; undefined if it is not announced. */
export function contentLength({ exchange }: ApiRequest): number | undefined {
  const header = exchange.header('content-length');
  if (header === undefined) return exchange.body === undefined ? 0 : undefined;
  if (!/^[0-9]+$/.test(header) || !Number.isSafeInteger(Number(header))) {
    throw new RegistryError('SIZE_INVALID', `Content-Length ${JSON.stringify(header)} is not a number of bytes`);
  }
  return Number(header);
}

/** The body, which fails if it pauses for too long. */
export function bodyOf({ exchange, limits }: ApiRequest): Uint8Array | AsyncIterable<Uint8Array> {
  const { body } = exchange;
  if (body === undefined) return noBytes;
  return body instanceof BufferedBody ? body.bytes : idleTimeout(body, limits.bodyTimeout);
}

const noBytes = new Uint8Array(0);

// A request to a registry, as the parts of the client make it.
import type { CallOptions, ErrorCode } from '../../../model/index.ts';
import type { Scope } from '../../wire/index.ts';

import type { ClientOptions } from '../shared/index.ts';
import type { Lane } from './lanes.ts';

/** A request to a registry, before its `Authorization` and the number of its attempts are known. */
export interface ClientRequest {
  /** The method. */
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** The URL, before redirects. */
  url: URL;
  /** The permissions that the request needs: a token has to allow them. */
  scope: Scope;
  /** Headers besides those that every request has. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** The body. Default: none. */
  body?: RequestBody | undefined;
  /** The statuses that are returned to the caller; any other one becomes an HttpError. */
  expect: readonly number[];
  /** The code of a 404 that names none itself, such as the response to a HEAD. */
  missing?: ErrorCode | undefined;
  /** The call that the request belongs to. */
  call: ClientCall;
  /**
   * Whether the request may be sent again when its outcome is unknown, after a cut connection or a status from 500 up,
   * because a second one does no harm. A request that was turned away unread (401, 408, 425, 429) is always sent
   * again. Default: true for reads alone.
   */
  repeatable?: boolean | undefined;
  /** The kind of the request; each kind has its own turns. Default: `small`. */
  lane?: Lane | undefined;
}

/** The options of a call. */
export interface ClientCall extends CallOptions {
  /** The client's option, in a call that reads for the caller. Default: `follow`. */
  redirects?: ClientOptions['redirects'];
}

/** Bytes to be sent. */
export interface RequestBody {
  /** Bytes; undefined if only the end of the source will tell: it is then sent in HTTP's chunks. */
  size: number | undefined;
  /** Whether `open` can be called again: bytes in memory, a file, a function that opens. */
  reopenable: boolean;
  /** Opens the bytes from the first one on. */
  open(): Uint8Array | AsyncIterable<Uint8Array>;
}

/** Whether a method only reads. */
export function isRead(method: ClientRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD';
}

import type { CallOptions, ErrorCode } from '../../../model/index.ts';
import type { Scope } from '../../wire/index.ts';

import type { Lane } from './lanes.ts';

/** A request to a registry, before it is known who asks and how often it takes. */
export interface ClientRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  url: URL;
  /** What it does there: what a token has to allow. */
  scope: Scope;
  headers?: Readonly<Record<string, string>>;
  body?: RequestBody | undefined;
  /** The statuses that are answers; all others become an HttpError. */
  expect: readonly number[];
  /** What a 404 says is missing if it does not say so itself, as that to a HEAD. */
  missing?: ErrorCode | undefined;
  call: CallOptions;
  /**
   * Whether it may be sent again when nobody knows what became of it, after a cut connection or a status from 500 up, as a
   * second one does no harm. What was turned away before it was looked at (401, 408, 425, 429) is always sent again.
   * Default: true for reads alone.
   */
  repeatable?: boolean | undefined;
  /** Which of a host's connections it takes. Default: `small`. */
  lane?: Lane | undefined;
}

/** Bytes to be sent. */
export interface RequestBody {
  /** Undefined if only the end will tell: it is then sent in HTTP's chunks. */
  size: number | undefined;
  /** Whether `open` can be called again: bytes at hand, a file, a function that opens. */
  reopenable: boolean;
  open(): Uint8Array | AsyncIterable<Uint8Array>;
}

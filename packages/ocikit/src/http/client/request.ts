import type { CallOptions, ErrorCode } from '../../model/index.ts';

import type { Scope } from './auth/index.ts';

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
  /** What an error is if its answer has no body, as that to a HEAD. */
  whenSilent?: ((status: number) => ErrorCode | undefined) | undefined;
  call: CallOptions;
  /**
   * Whether it may be sent again when nobody knows what became of it, after a cut connection: true for reads, for PUT and for
   * DELETE. What was answered with a temporary status is always sent again.
   */
  repeatable: boolean;
  /** Which of a host's connections it takes; see concurrency.ts. */
  lane: Lane;
}

/** Small answers, blobs that come, blobs that go: one kind must not keep the other from its turn. */
export type Lane = 'small' | 'download' | 'upload';

/** Bytes to be sent. */
export interface RequestBody {
  size: number;
  /** Whether `open` can be called again: bytes at hand, a file, a function that opens. */
  reopenable: boolean;
  open(): Uint8Array | AsyncIterable<Uint8Array>;
}

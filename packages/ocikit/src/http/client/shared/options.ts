import type { BackOff } from '../../../transfer/index.ts';
import type { Fetch } from '../../wire/index.ts';

import type { Credentials } from './credentials.ts';
import type { TransferStore } from './transfer-store.ts';

/** How large blobs are fetched over several connections. */
export interface ParallelOptions {
  /** Connections at a time. Default: 4. */
  ranges?: number | undefined;
  /** Bytes; a smaller blob is fetched in one piece. Default: 32 MiB. */
  threshold?: number | undefined;
  /** Bytes that may be in memory because they came before their turn. Default: 64 MiB. */
  memory?: number | undefined;
}

/** How {@link createClient} reaches a registry. */
export interface ClientOptions {
  /** `HOST[:PORT]`. `docker.io` and its aliases become Docker Hub's API host. */
  host: string;
  /** Default: `http` for `localhost` and loopback addresses, else `https`. */
  scheme?: 'http' | 'https' | undefined;
  /** Default: the global `fetch`. On Node, `nodeFetch()` of `ocikit/node` is faster and knows proxies and authorities. */
  fetch?: Fetch | undefined;
  /** Default: `ocikit`. Browsers do not let a page choose it. */
  userAgent?: string | undefined;
  /** Default: none, the registry is asked anonymously. */
  credentials?: Credentials | undefined;
  /**
   * Origins (`https://auth.example.org`) of token servers that may be given stored secrets. The registry's own need not be
   * named: those on its host, on one above it (`gitlab.com` for `registry.gitlab.com`) or below it, and on one beside it
   * (`auth.docker.io` for `registry-1.docker.io`) unless strangers have hosts there too. All others are asked for what
   * anybody may have.
   */
  trustedRealms?: readonly string[] | undefined;
  /** `false`: nothing is tried again. */
  backOff?: BackOff | false | undefined;
  /** Told before each wait, in milliseconds. */
  onRetry?: ((error: unknown, delay: number) => void) | undefined;
  /** Told of each `Warning` of the registry, once. Distribution specification, "Warnings". */
  onWarning?: ((text: string) => void) | undefined;
  /** How many requests run at a time, of each kind: small ones, downloads, uploads. Default: 16, 6 and 6. */
  concurrency?: Partial<Record<'small' | 'download' | 'upload', number>> | undefined;
  /** Bytes; a blob is sent in chunks of at most this, and in one piece if it is left out. What stands before a registry may accept only so much; and where a browser sends no streams, more than 16 MiB cannot be sent at a time. */
  chunkSize?: number | undefined;
  /**
   * Large blobs are fetched in several ranges at a time, and handed on in order and verified. Default: where one connection
   * gives less than 32 MiB a second. `false`: never.
   */
  parallel?: ParallelOptions | false | undefined;
  /** Keeps what was transferred when the process ends: `openTransfers(directory)` of `ocikit/node`. */
  transfers?: TransferStore | undefined;
  /** Entries that are asked for in one page of a list; ECR takes no more than 1,000. Default: 1,000. */
  pageSize?: number | undefined;
}

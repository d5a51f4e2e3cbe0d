// All options of the client, with their units and defaults.
import type { RetryOptions } from '../../../transfer/index.ts';
import type { Fetch } from '../../wire/index.ts';

import type { Credentials } from './credentials.ts';
import type { TransferStore } from './transfer-store.ts';

/** How large blobs are fetched over several connections. */
export interface ParallelOptions {
  /** Connections at a time. Default: 4. */
  ranges?: number | undefined;
  /** Bytes; a smaller blob is fetched over one connection. Default: 32 MiB. */
  threshold?: number | undefined;
  /** Bytes that may be in memory because they came before their turn. Default: 64 MiB. */
  memory?: number | undefined;
}

/** How {@link createClient} reaches a registry. */
export interface ClientOptions extends RetryOptions {
  /** `HOST[:PORT]`. `docker.io` and its aliases become Docker Hub's API host. Required. */
  host: string;
  /** Default: `http` for `localhost` and loopback addresses, else `https`. */
  scheme?: 'http' | 'https' | undefined;
  /**
   * Sends the requests. Default: the global `fetch`. On Node, `nodeFetch()` of `ocikit/node` is faster, and supports
   * proxies and certificate authorities of your own.
   */
  fetch?: Fetch | undefined;
  /**
   * Redirects of blobs and manifests to another origin, such as the storage of the registry: `follow`, or `throw` a
   * `RedirectError` with the location. A server over this client then redirects its own clients there, and the bytes do
   * not pass through it. Default: `follow`. Browsers hide locations and always follow.
   */
  redirects?: 'follow' | 'throw' | undefined;
  /** The `User-Agent` of requests. Default: `ocikit`; browsers send their own. */
  userAgent?: string | undefined;
  /** The source of credentials. Default: none; the registry is asked anonymously. */
  credentials?: Credentials | undefined;
  /**
   * Origins (`https://auth.example.org`) of token servers that may be given stored secrets. Default: none.
   *
   * Token servers of the registry's owner are trusted without an entry: on its host, on a host above it (`gitlab.com`
   * for `registry.gitlab.com`) or below it, and on a host beside it (`auth.docker.io` for `registry-1.docker.io`)
   * unless strangers have hosts there too. All other token servers are asked anonymously.
   */
  trustedRealms?: readonly string[] | undefined;
  /**
   * Called once for each text in a `Warning` header of the registry. Default: no call. Distribution specification,
   * "Warnings".
   */
  onWarning?: ((text: string) => void) | undefined;
  /** How many requests run at a time, of each kind. Default: 16 small ones, 6 downloads and 6 uploads. */
  concurrency?: Partial<Record<'small' | 'download' | 'upload', number>> | undefined;
  /**
   * Bytes; a blob is sent in chunks of at most this size. Default: no limit, so a blob is sent in one piece. A proxy
   * before a registry may accept only small requests. A browser that sends no streams cannot send more than 16 MiB at
   * a time.
   */
  chunkSize?: number | undefined;
  /**
   * How large blobs are fetched over several connections at a time; they are handed on in order and verified. `false`:
   * never. Default: only where one connection gives less than 32 MiB a second.
   */
  parallel?: ParallelOptions | false | undefined;
  /**
   * Keeps unfinished transfers when the process ends: `openTransfers(directory)` of `ocikit/node`. Default: none; they
   * are lost.
   */
  transfers?: TransferStore | undefined;
  /**
   * How the condition `ifTag` is checked. Default: `best-effort`. Most registries ignore conditions: the client looks
   * at the tags, changes them under the condition, and looks again after a push. It fails with PRECONDITION_FAILED
   * whenever it sees that the condition did not hold, but another client may come between a look and the change.
   * `atomic`: the call fails with UNSUPPORTED if the registry cannot check and change in one step. That costs one more
   * request.
   */
  tagConditions?: 'best-effort' | 'atomic' | undefined;
  /** Entries that are requested in one page of a list. ECR accepts at most 1,000. Default: 1,000. */
  pageSize?: number | undefined;
}

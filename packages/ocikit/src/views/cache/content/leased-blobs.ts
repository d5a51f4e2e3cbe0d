// Reads from the cache's store, with a lease that keeps a blob from eviction while it is read.
import { isRegistryError, maintenanceOf, RedirectError } from '../../../model/index.ts';
import type { BlobContent, Digest, GetBlobOptions, Registry } from '../../../model/index.ts';

import { watchContent } from '../../shared/index.ts';

import type { CacheSettings } from '../shared/index.ts';
import { isUnknown } from '../upstream/index.ts';

/**
 * The store's answer; undefined if it has none. A store that fails counts as one without the content, as the upstream
 * can be asked instead.
 *
 * @param signal the caller's; its reason is thrown
 */
export async function fromStore<T>(signal: AbortSignal | undefined, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof RedirectError || isRegistryError(error, 'RANGE_INVALID')) throw error;
    return undefined;
  }
}

/** The blobs of a store. A blob is not evicted while it is read, and removed if it is damaged. */
export class LeasedBlobs {
  readonly #store: Registry;
  readonly #settings: CacheSettings;

  constructor(store: Registry, settings: CacheSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  /** The blob, leased until its reader ends; undefined if the store does not have it. */
  async get(repository: string, digest: Digest, options: GetBlobOptions): Promise<BlobContent | undefined> {
    // Before the store is asked: eviction must not come between its answer and the first read.
    const lease = await maintenanceOf(this.#store)?.lease(repository, [digest]);
    let content: BlobContent | undefined;
    try {
      content = await fromStore(options.signal, () => this.#store.getBlob(repository, digest, options));
    } finally {
      if (content === undefined) void lease?.[Symbol.asyncDispose]();
    }
    if (content === undefined) return undefined;
    return watchContent(content, {
      ended: (_bytes, failure) => {
        // The file is too short, has been deleted, or has other bytes.
        const error = failure?.error;
        const isDamaged = isUnknown(error) || isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID');
        if (isDamaged) void this.#remove(repository, digest, error);
        void lease?.[Symbol.asyncDispose]();
      },
    });
  }

  async #remove(repository: string, digest: Digest, error: unknown): Promise<void> {
    this.#settings.tell({ type: 'corrupt', kind: 'blob', repository, reference: digest, error });
    // If the removal fails, the next reader finds the damage again.
    await this.#store.deleteBlob(repository, digest).catch(() => undefined);
  }
}

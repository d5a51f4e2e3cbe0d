import { isRegistryError, maintenanceOf, RedirectError } from '../../../model/index.ts';
import type { BlobContent, Digest, GetBlobOptions, Registry } from '../../../model/index.ts';

import { watchContent } from '../../shared/index.ts';

import type { CacheSettings } from '../shared/index.ts';
import { isUnknown } from '../upstream/index.ts';

/**
 * What a store has, if it can be had: a store that fails is as good as one that does not have it, as the upstream can be asked.
 *
 * @param signal whose reason is passed on
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

/** The blobs of a store: not evicted while they are being read, and removed if they turn out to be damaged. */
export class LeasedBlobs {
  readonly #store: Registry;
  readonly #settings: CacheSettings;

  constructor(store: Registry, settings: CacheSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  async get(repository: string, digest: Digest, options: GetBlobOptions): Promise<BlobContent | undefined> {
    const content = await fromStore(options.signal, () => this.#store.getBlob(repository, digest, options));
    if (content === undefined) return undefined;
    const lease = await maintenanceOf(this.#store)?.lease(repository, [digest]);
    return watchContent(content, {
      ended: (_bytes, failure) => {
        // A file that is too short, or gone, or has other bytes.
        const error = failure?.error;
        const isDamaged = isUnknown(error) || isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID');
        if (isDamaged) void this.#remove(repository, digest, error);
        void lease?.[Symbol.asyncDispose]();
      },
    });
  }

  async #remove(repository: string, digest: Digest, error: unknown): Promise<void> {
    this.#settings.tell({ type: 'corrupt', kind: 'blob', repository, reference: digest, error });
    // If it cannot be removed, the next reader finds the same.
    await this.#store.deleteBlob(repository, digest).catch(() => undefined);
  }
}

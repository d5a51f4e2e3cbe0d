import { limit as atMost, parseDigest } from '../../model/index.ts';
import type { Digest, ListOptions, Maintenance, StoredUpload } from '../../model/index.ts';

/**
 * The uploads of all repositories that a view shows. One of which nobody can tell the repository is not shown.
 *
 * @param shown the upload as the view shows it; undefined if it does not
 */
export async function* uploadsOfShown(
  inner: Maintenance,
  options: ListOptions | undefined,
  shown: (upload: StoredUpload, repository: string) => Promise<StoredUpload | undefined>,
): AsyncGenerator<StoredUpload, void, undefined> {
  const each = async function* (): AsyncGenerator<StoredUpload, void, undefined> {
    for await (const upload of inner.uploads(undefined, { ...options, limit: undefined })) {
      if (upload.repository === undefined) continue;
      const found = await shown(upload, upload.repository);
      if (found !== undefined) yield found;
    }
  };
  yield* atMost(each(), options?.limit);
}

/** What no repository has may be anybody's: a view that shows a part of a registry has none of it. */
export const withoutOrphans: Pick<Maintenance, 'orphans' | 'removeOrphan'> = {
  async *orphans() {
    // There are none.
  },
  async removeOrphan(digest: Digest) {
    parseDigest(digest);
    return false;
  },
};

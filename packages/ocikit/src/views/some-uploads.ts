import { limit as atMost } from '../model/index.ts';
import type { ListOptions, Maintenance, StoredUpload } from '../model/index.ts';

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

/** What no repository has is of no part of a registry. */
export async function* noOrphans(): AsyncGenerator<never, void, undefined> {
  // There are none.
}

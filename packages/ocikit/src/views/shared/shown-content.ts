// The lists and mounts of a view that shows a part of a registry.
import { isRepository, limit as atMost, parseDigest } from '../../model/index.ts';
import type { Digest, ListOptions, Maintenance, MountSource, Registry, StoredUpload } from '../../model/index.ts';

/**
 * The names of a registry's repositories that a view shows.
 *
 * @param shown picks the shown names from all names. The limit counts only those that it gives
 */
export async function* shownRepositories(
  list: Registry['repositories'],
  { limit, ...page }: ListOptions,
  shown: (names: AsyncIterable<string>) => AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  // A limit of 0 still asks the registry: a list that it does not support has to fail.
  if (limit === 0) {
    const names = list({ ...page, limit });
    await names[Symbol.asyncIterator]().next();
    return;
  }
  yield* atMost(shown(list(page)), limit);
}

/** The well-formed names for which `isShown` is true. */
export async function* namesWhere(
  names: AsyncIterable<string>,
  isShown: (repository: string) => Promise<boolean>,
): AsyncGenerator<string, void, undefined> {
  for await (const name of names) if (isRepository(name) && (await isShown(name))) yield name;
}

/** The source of a mount, reduced to the repositories that may be read. */
export async function sourceWithin(
  from: MountSource | undefined,
  mayRead: (repository: string) => Promise<boolean>,
): Promise<MountSource> {
  if (typeof from === 'string') return (await mayRead(from)) ? from : () => false;
  return async (name) => isRepository(name) && (await mayRead(name)) && (from === undefined || from(name));
}

/**
 * The uploads of all repositories that a view shows. An upload whose repository is unknown is not shown.
 *
 * @param shown the upload as the view shows it; undefined if the view does not show it
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

/** No orphans: content of no repository may be anyone's, so a view that shows a part of a registry hides all of it. */
export const withoutOrphans: Pick<Maintenance, 'orphans' | 'removeOrphan'> = {
  async *orphans() {
    // There are none.
  },
  async removeOrphan(digest: Digest) {
    parseDigest(digest);
    return false;
  },
};

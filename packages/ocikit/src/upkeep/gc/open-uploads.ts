// Finds how long pushes to each repository have been running, as their blobs are not named by a manifest yet.
import type { Maintenance, StoredUpload } from '../../model/index.ts';

/** The uploads that are open in a registry. */
export interface OpenUploads {
  /** When the oldest open upload of a repository began, in milliseconds of the epoch; undefined if none is open. */
  oldestIn(repository: string): Promise<number | undefined>;
}

/**
 * Lists all uploads once. Some stores cannot tell an upload's repository; only then the uploads of each repository are
 * listed too. An upload without a new byte within the grace period does not count as open: its client gave up, or will
 * start again.
 *
 * @param gracePeriod in milliseconds
 */
export async function openUploads(
  maintenance: Maintenance,
  gracePeriod: number,
  signal: AbortSignal | undefined,
): Promise<OpenUploads> {
  const isOpen = ({ usedAt }: StoredUpload): boolean => usedAt.getTime() >= Date.now() - gracePeriod;
  const oldest = new Map<string, number>();
  let hasUnknown = false;
  for await (const upload of maintenance.uploads(undefined, { signal })) {
    const { repository, createdAt } = upload;
    if (!isOpen(upload)) continue;
    if (repository === undefined) hasUnknown = true;
    else oldest.set(repository, Math.min(oldest.get(repository) ?? Infinity, createdAt.getTime()));
  }
  return {
    async oldestIn(repository) {
      let found = oldest.get(repository);
      if (!hasUnknown) return found;
      for await (const upload of maintenance.uploads(repository, { signal })) {
        if (isOpen(upload)) found = Math.min(found ?? Infinity, upload.createdAt.getTime());
      }
      return found;
    },
  };
}

import type { Maintenance, StoredUpload } from '../../model/index.ts';

/** Since when somebody has been pushing to each repository. */
export interface OpenUploads {
  /** Milliseconds of the epoch at which the oldest open upload of the repository began; undefined if there is none. */
  oldestIn(repository: string): Promise<number | undefined>;
}

/**
 * Looks at all uploads once. Only if there are some of which nobody can tell whose they are, each repository has to be
 * asked. One that has had no byte for the time of grace is not open: whoever sent it has given up, or will begin anew.
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

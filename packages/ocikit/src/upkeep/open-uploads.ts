import type { Maintenance } from '../model/index.ts';

/** Since when somebody has been pushing to each repository. */
export interface OpenUploads {
  /** Milliseconds of the epoch at which the oldest open upload of the repository began; undefined if there is none. */
  oldestIn(repository: string): Promise<number | undefined>;
}

/**
 * Looks at all uploads once. Only if there are some of which nobody can tell whose they are, each repository has to be
 * asked.
 */
export async function openUploads(maintenance: Maintenance, signal: AbortSignal | undefined): Promise<OpenUploads> {
  const oldest = new Map<string, number>();
  let hasUnknown = false;
  for await (const { repository, createdAt } of maintenance.uploads(undefined, { signal })) {
    if (repository === undefined) hasUnknown = true;
    else oldest.set(repository, Math.min(oldest.get(repository) ?? Infinity, createdAt.getTime()));
  }
  return {
    async oldestIn(repository) {
      let found = oldest.get(repository);
      if (!hasUnknown) return found;
      for await (const { createdAt } of maintenance.uploads(repository, { signal })) {
        found = Math.min(found ?? Infinity, createdAt.getTime());
      }
      return found;
    },
  };
}

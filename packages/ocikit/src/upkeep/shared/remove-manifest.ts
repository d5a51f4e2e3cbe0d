// Removes an unused manifest, together with the tags that attach it to manifests that are gone.
import { isRegistryError } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';

import { subjectOfTag } from './attached-tags.ts';
import { listedManifest } from './listed-manifest.ts';

/** A manifest that is to be removed. */
export interface Removal {
  /** The repository's name. */
  repository: string;
  /** The manifest's digest. */
  digest: Digest;
  /** The manifests that its tags attach it to; empty if it has no tags. */
  subjects: readonly Digest[];
  /** It stays if it was used since this time. */
  unusedSince: Date;
}

/** The outcome of a removal. */
export interface Removed {
  /** Whether the manifest is gone. */
  isGone: boolean;
  /** The tags that were deleted. */
  tags: readonly string[];
}

/**
 * Removes a manifest, unless it was used since, is leased, has an ordinary tag, or a manifest that it is attached to is
 * there again.
 */
export async function removeManifest(registry: Registry, maintenance: Maintenance, removal: Removal): Promise<Removed> {
  const { repository, digest, subjects, unusedSince } = removal;
  const tags: string[] = [];
  if (subjects.length > 0) {
    for (const subject of subjects) {
      if ((await listedManifest(maintenance, repository, subject)) !== undefined) return { isGone: false, tags };
    }
    const listed = await listedManifest(maintenance, repository, digest);
    const isUsed = listed !== undefined && listed.usedAt.getTime() >= unusedSince.getTime();
    if (isUsed || listed?.tags.some((tag) => subjectOfTag(tag) === undefined) === true) return { isGone: false, tags };
    for (const tag of listed?.tags ?? []) {
      try {
        await registry.deleteTag(repository, tag, { ifTag: digest });
        tags.push(tag);
      } catch (error) {
        // Tags are immutable here.
        if (isRegistryError(error, 'UNSUPPORTED', 'DENIED')) return { isGone: false, tags };
        if (!isRegistryError(error, 'PRECONDITION_FAILED', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN')) throw error;
      }
    }
  }
  return { isGone: await maintenance.removeUnused(repository, digest, { unusedSince }), tags };
}

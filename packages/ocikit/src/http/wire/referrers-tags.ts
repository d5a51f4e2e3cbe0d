// The tags that stand in for the referrers API. Distribution specification, "Referrers Tag Schema".
import { splitDigest } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/** Returns the tag that lists the referrers of a manifest in a registry without the referrers API. */
export function referrersTag(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}

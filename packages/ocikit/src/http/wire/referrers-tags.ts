import { splitDigest } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/**
 * The tag under which a manifest's referrers are listed where there is no API for them. Distribution specification,
 * "Referrers Tag Schema".
 */
export function referrersTag(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}

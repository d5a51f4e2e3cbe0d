// Tags that attach content, such as a signature or a list of referrers, to a manifest by its digest.
import { isDigest } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/**
 * `sha256-<hex>` lists the referrers of a manifest where a registry has no referrers API (distribution specification,
 * "Referrers Tag Schema"). cosign adds `.sig`, `.att` and `.sbom`.
 */
const pattern = /^(sha256|sha384|sha512)-([0-9a-f]{64,128})(?:\.(?:sig|att|sbom))?$/;
/** The schema cuts the digest off after this number of characters. */
const cut = 64;

/** The manifest that a tag belongs to, as far as the tag names it. */
export interface TagSubject {
  /** Its digest. If the tag has only its beginning, some digest of that beginning must be found. */
  digest: Digest | undefined;
  /** The beginning of its digest. */
  beginning: string;
}

/** The manifest that a tag attaches content to; undefined for an ordinary tag. */
export function subjectOfTag(tag: string): TagSubject | undefined {
  // Nearly all tags are shorter.
  if (tag.length <= cut) return undefined;
  const [, algorithm, encoded] = pattern.exec(tag) ?? [];
  if (algorithm === undefined || encoded === undefined) return undefined;
  const beginning = `${algorithm}:${encoded}`;
  if (isDigest(beginning)) return { digest: beginning, beginning };
  return encoded.length === cut ? { digest: undefined, beginning } : undefined;
}

// The findings of a check, and the events that it emits.
import type { Digest } from '../../model/index.ts';

/**
 * A kind of finding.
 *
 * | kind | meaning |
 * |---|---|
 * | missing | a manifest names this content, or it is a listed manifest, but its bytes are missing |
 * | corrupt | the bytes do not match the digest |
 * | unreachable | no tag reaches this content, and it was not used lately: `collectGarbage` would remove it |
 * | orphaned | no repository has this content |
 * | unreadable | this repository, this blob, or a file of the registry, cannot be read: its content is unknown |
 *
 * If a manifest of a repository cannot be read, nothing in that repository is called unreachable: the manifest may name
 * any content.
 */
export type FindingKind = 'missing' | 'corrupt' | 'unreachable' | 'orphaned' | 'unreadable';

/** A problem of a manifest, a blob or a whole repository. It is plain data, and can be stored as JSON. */
export interface Finding {
  /** The kind of problem. */
  kind: FindingKind;
  /** The repository that has it; undefined for orphans, and if a file of the registry itself is unreadable. */
  repository: string | undefined;
  /** Its digest; undefined if a whole repository, or a file of the registry, is unreadable. */
  digest: Digest | undefined;
  /** The reason why it cannot be read; undefined for all other kinds. */
  reason?: string | undefined;
  /** Whether it is a manifest or a blob; undefined if nothing tells. */
  content: 'manifest' | 'blob' | undefined;
  /** Its bytes, according to its descriptor or the store's record. */
  size: number | undefined;
  /** The first manifest, in the order of digests, that names it; undefined if no readable manifest does. */
  neededBy: Digest | undefined;
  /** Its media type, according to the store's record or the manifest that names it. */
  mediaType: string | undefined;
}

/** A finding that means lost content, which another registry may still have. */
export interface DamageFinding extends Finding {
  /** The kind of damage. */
  kind: 'missing' | 'corrupt';
  /** The repository that lost the content. */
  repository: string;
  /** The digest of the content. */
  digest: Digest;
}

/**
 * Whether a finding means lost content: `missing` or `corrupt`. Unreachable and orphaned content only takes space. An
 * unreadable repository may have lost anything, so it cannot be repaired piece by piece.
 */
export function isDamage(finding: Finding): finding is DamageFinding {
  return finding.kind === 'missing' || finding.kind === 'corrupt';
}

/**
 * A step of a check.
 *
 * | type | meaning |
 * |---|---|
 * | repository | the check starts with this repository |
 * | checked | one manifest or blob was checked; `size` is its bytes |
 */
export type CheckEvent =
  | { type: 'repository'; repository: string }
  | { type: 'checked'; repository: string; size: number };

import type { Digest } from '../../model/index.ts';

/**
 * | kind | meaning |
 * |---|---|
 * | missing | a manifest names it, or is listed itself, and its bytes are not there |
 * | corrupt | its bytes do not have its digest |
 * | unreachable | no tag reaches it and nobody has used it lately: `collectGarbage` would remove it. Nothing is called so in a repository where a manifest cannot be read, as that may name anything |
 * | orphaned | no repository has it |
 */
export type FindingKind = 'missing' | 'corrupt' | 'unreachable' | 'orphaned';

/** What is wrong, in a form that stays. */
export interface Finding {
  kind: FindingKind;
  /** Undefined if no repository has it. */
  repository: string | undefined;
  digest: Digest;
  /** What it is; undefined if nothing says so. */
  content: 'manifest' | 'blob' | undefined;
  /** Bytes, as its descriptor or its record says. */
  size: number | undefined;
  /** A manifest that names it, of several the one whose digest is first; undefined if none does that can be read. */
  neededBy: Digest | undefined;
  /** As a record or the manifest says that names it. */
  mediaType: string | undefined;
}

/** `missing` and `corrupt` lose content; the others only take room. */
export function isDamage({ kind }: Finding): boolean {
  return kind === 'missing' || kind === 'corrupt';
}

/**
 * | type | meaning |
 * |---|---|
 * | repository | it is looked into now |
 * | checked | this content has been looked at; `size` bytes of it were read |
 */
export type CheckEvent =
  | { type: 'repository'; repository: string }
  | { type: 'checked'; repository: string; size: number };

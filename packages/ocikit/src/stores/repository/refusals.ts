// The errors with which every store refuses a push, a condition or an offset.
import { RegistryError, wrongOffset } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/**
 * PRECONDITION_FAILED: the condition `ifTag` does not hold.
 *
 * @param expected the digest that the caller expected; null: the tag must not exist
 * @param found the digest that the tag points to; undefined: the tag does not exist
 */
export function tagMoved(tag: string, expected: Digest | null, found: Digest | undefined): RegistryError {
  const state = found === undefined ? 'does not exist' : `points to ${found}`;
  const condition = expected === null ? 'it must not exist' : `it must point to ${expected}`;
  return new RegistryError('PRECONDITION_FAILED', `tag ${tag} ${state}, but ${condition}`, {
    detail: { tag, expected, found },
  });
}

/** MANIFEST_BLOB_UNKNOWN: a manifest names content that the repository does not have. */
export function linkUnknown(repository: string, missing: { digest: Digest; mediaType: string }): RegistryError {
  return new RegistryError(
    'MANIFEST_BLOB_UNKNOWN',
    `the manifest names ${missing.digest} (${missing.mediaType}), which ${repository} does not have: push it first`,
    { detail: { digest: missing.digest } },
  );
}

/**
 * Checks that the caller continues an upload where its bytes end.
 *
 * @throws RegistryError RANGE_INVALID if `offset` is not the upload's size
 */
export function assertOffset(offset: number, size: number): void {
  if (offset !== size) throw wrongOffset(offset, size);
}

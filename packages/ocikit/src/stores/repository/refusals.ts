// The errors with which every store refuses a manifest or an offset.
import { RegistryError, wrongOffset } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

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

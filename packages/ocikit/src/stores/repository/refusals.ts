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
 * Checks the size that a manifest says against the size of the stored content. Without this check, clients would find
 * out only when they pull.
 *
 * @param found the stored size in bytes; undefined if it is not known
 * @throws RegistryError MANIFEST_INVALID
 */
export function assertLinkSize(
  repository: string,
  named: { digest: Digest; size: number },
  found: number | undefined,
): void {
  const { digest, size } = named;
  if (found === undefined || found === size) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `the manifest says that ${digest} has ${size} bytes, but in ${repository} it has ${found}: correct the descriptor's size`,
    { detail: { digest, size, found } },
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

import { RegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

export function nameUnknown(repository: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', `repository ${repository} is not known`, { detail: { name: repository } });
}

export function blobUnknown(repository: string, digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `${repository} has no blob ${digest}`, { detail: { digest } });
}

export function manifestUnknown(repository: string, reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', `${repository} has no manifest ${reference}`, { detail: { reference } });
}

/** The condition `ifTag` does not hold. */
export function tagMoved(tag: string, expected: Digest | null, found: Digest | undefined): RegistryError {
  const wanted = expected === null ? 'it must not exist' : `expected ${expected}`;
  return new RegistryError('PRECONDITION_FAILED', `tag ${tag} is at ${found ?? 'nothing'}: ${wanted}`, {
    detail: { tag, expected, found },
  });
}

/** A manifest names what the repository does not have. */
export function linkUnknown(repository: string, missing: { digest: Digest; mediaType: string }): RegistryError {
  return new RegistryError(
    'MANIFEST_BLOB_UNKNOWN',
    `the manifest names ${missing.digest} (${missing.mediaType}), which ${repository} does not have`,
    { detail: { digest: missing.digest } },
  );
}

/** An upload stands elsewhere than the caller thinks. */
export function assertOffset(offset: number, size: number): void {
  if (offset === size) return;
  throw new RegistryError('RANGE_INVALID', `the upload stands at byte ${size}, not at ${offset}`, { detail: { size } });
}

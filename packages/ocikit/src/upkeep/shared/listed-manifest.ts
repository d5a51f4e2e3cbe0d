// Looks one manifest up in the list of a repository, which does not count as a use of it.
import { isRegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Maintenance, StoredManifest } from '../../model/index.ts';

/** The manifest, if the repository lists it now; undefined also if the repository is gone. */
export async function listedManifest(
  maintenance: Maintenance,
  repository: string,
  digest: Digest,
  { signal }: CallOptions = {},
): Promise<StoredManifest | undefined> {
  // Without its last character, the digest sorts directly before itself.
  const startAfter = digest.slice(0, -1);
  try {
    for await (const manifest of maintenance.manifests(repository, { startAfter, limit: 1, signal })) {
      return manifest.descriptor.digest === digest ? manifest : undefined;
    }
  } catch (error) {
    if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
  }
  return undefined;
}

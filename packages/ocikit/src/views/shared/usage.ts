// Counts the content of the repositories that a view shows.
import { isRegistryError } from '../../model/index.ts';
import type { Digest, Maintenance, Usage } from '../../model/index.ts';

/**
 * The usage of these repositories, each content counted once. For a view that shows a part of a registry: the
 * registry's own numbers would reveal the rest. Reads all lists, and keeps the digests while it counts.
 */
export async function usageOf(repositories: AsyncIterable<string>, maintenance: Maintenance): Promise<Usage> {
  const manifests = new Map<Digest, number>();
  const blobs = new Map<Digest, number>();
  const total = { repositories: 0, uploads: 0, size: 0 };
  for await (const repository of repositories) {
    try {
      for await (const { descriptor, size } of maintenance.manifests(repository))
        manifests.set(descriptor.digest, size);
      for await (const { descriptor, size } of maintenance.blobs(repository)) blobs.set(descriptor.digest, size);
      total.repositories++;
    } catch (error) {
      // The repository has been deleted since it was listed.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }
  for await (const { size } of maintenance.uploads(undefined)) {
    total.uploads++;
    total.size += size;
  }
  const size = [...manifests.values(), ...blobs.values()].reduce((sum, each) => sum + each, total.size);
  return { ...total, manifests: manifests.size, blobs: blobs.size, size };
}

// Finds one manifest or blob in a list of maintenance.
import { isRegistryError } from '../../../model/index.ts';
import type { CallOptions, Digest, ListOptions, Maintenance, StoredBlob } from '../../../model/index.ts';

/** The entry of one manifest or blob, read from its place in the list only. */
export async function findStored(
  list: Maintenance['manifests'] | Maintenance['blobs'],
  repository: string,
  digest: Digest,
  call: CallOptions = {},
): Promise<StoredBlob | undefined> {
  // Without its last digit the digest sorts right before the entry.
  const options: ListOptions = { ...call, startAfter: digest.slice(0, -1) };
  try {
    for await (const stored of list(repository, options)) {
      if (stored.descriptor.digest === digest) return stored;
      if (stored.descriptor.digest > digest) return undefined;
    }
    return undefined;
  } catch (error) {
    if (isRegistryError(error, 'NAME_UNKNOWN')) return undefined;
    throw error;
  }
}

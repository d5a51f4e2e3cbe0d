import { isRegistryError } from '../../../model/index.ts';
import type { CallOptions, Digest, ListOptions, Maintenance, StoredBlob } from '../../../model/index.ts';

/** What is known of one manifest or blob, without reading more of the list than where it stands. */
export async function findStored(
  list: Maintenance['manifests'] | Maintenance['blobs'],
  repository: string,
  digest: Digest,
  call: CallOptions = {},
): Promise<StoredBlob | undefined> {
  // Without its last digit it stands just before those that begin like it.
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

// Reading from the memory registry.
import {
  assertRepository,
  assertTag,
  blobDescriptor,
  blobUnknown,
  isRegistryError,
  manifestUnknown,
  nameUnknown,
  parseDigest,
} from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Manifest, Reader } from '../../model/index.ts';

import type { MemoryState } from './state.ts';

/** The reading methods. */
export function memoryReader(state: MemoryState): Reader {
  const manifest = (repository: string, digest: Digest): Manifest => {
    const { index, manifestBytes } = state.repository(repository);
    const entry = index.manifests.get(digest);
    const bytes = manifestBytes.get(digest);
    if (entry === undefined || bytes === undefined) throw manifestUnknown(repository, digest);
    entry.usedAt = Date.now();
    return { descriptor: entry.descriptor, bytes };
  };
  const digestOfTag = (repository: string, tag: string): Digest => {
    assertRepository(repository);
    assertTag(tag);
    const digest = state.repository(repository).index.digestOfTag(tag);
    if (digest === undefined) throw manifestUnknown(repository, tag);
    return digest;
  };

  return {
    async getBlob(repository, digest, options = {}) {
      const { range, ranges, signal } = options;
      const call = { range, ranges, signal };
      return readBlob(state, repository, digest, options, (home) => state.blobs.get(home, digest, call));
    },
    async resolveBlob(repository, digest, options = {}) {
      const size = await readBlob(state, repository, digest, options, (home) =>
        sizeOfBlob(state, home, digest, options),
      );
      return blobDescriptor(digest, size);
    },
    async getManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      return copyOf(manifest(repository, parseDigest(digest)));
    },
    async getTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      return copyOf(manifest(repository, digestOfTag(repository, tag)));
    },
    async resolveManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      return copyOfDescriptor(manifest(repository, parseDigest(digest)).descriptor);
    },
    async resolveTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      return copyOfDescriptor(manifest(repository, digestOfTag(repository, tag)).descriptor);
    },
  };
}

/**
 * Reads a blob of the repository. A blob that was pushed belongs only to the repositories that it was pushed to. The
 * blob store is asked for any other blob, because it may have content from another program.
 */
async function readBlob<T>(
  state: MemoryState,
  repository: string,
  digest: Digest,
  { signal }: CallOptions,
  read: (home: string) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  assertRepository(repository);
  parseDigest(digest);
  const known = state.repositories.get(repository);
  const entry = known?.index.blobs.get(digest);
  if (entry !== undefined) entry.usedAt = Date.now();
  else if (state.owners.has(digest))
    throw known === undefined ? nameUnknown(repository) : blobUnknown(repository, digest);
  try {
    return await read(entry === undefined ? repository : state.owners.home(digest, repository));
  } catch (error) {
    if (!isRegistryError(error, 'BLOB_UNKNOWN')) throw error;
    throw known === undefined ? nameUnknown(repository) : blobUnknown(repository, digest);
  }
}

/** The size of a blob in bytes, according to the blob store. */
export async function sizeOfBlob(
  state: MemoryState,
  repository: string,
  digest: Digest,
  options: CallOptions,
): Promise<number> {
  if (state.blobs.stat !== undefined) return (await state.blobs.stat(repository, digest, options)).size;
  const content = await state.blobs.get(repository, digest, options);
  await content.cancel();
  return content.descriptor.size;
}

/** A copy for the caller, whose changes must not affect the stored manifest. */
function copyOf({ descriptor, bytes }: Manifest): Manifest {
  return { descriptor: copyOfDescriptor(descriptor), bytes: new Uint8Array(bytes) };
}

function copyOfDescriptor(descriptor: Descriptor): Descriptor {
  return { ...descriptor };
}

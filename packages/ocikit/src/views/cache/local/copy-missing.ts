import { isDigest, isRegistryError } from '../../../model/index.ts';
import type { CallOptions, Digest, Reader, Registry } from '../../../model/index.ts';

import { isUnknown } from '../upstream/index.ts';

export interface CopyMissing {
  /** Where content that is missing may be. */
  cached: Reader;
  /** Where it is to be. */
  local: Registry;
  repository: string;
  options: CallOptions | undefined;
}

/** Contents that one manifest may be lacking. */
const most = 1000;
/** An index of indexes of …: deeper ones are refused, as they are where nothing is cached. */
const deepest = 8;

/**
 * Pushes a manifest, and gives the local registry what it names and only the cache has: who was told that a blob is there
 * does not send it.
 */
export async function pushCopyingMissing<T>(copy: CopyMissing, push: () => Promise<T>, depth = 0): Promise<T> {
  const copied = new Set<Digest>();
  for (;;) {
    try {
      return await push();
    } catch (error) {
      const missing = missingIn(error);
      if (missing === undefined || copied.has(missing) || copied.size >= most || depth >= deepest) throw error;
      copied.add(missing);
      if (!(await copyContent(copy, missing, depth))) throw error;
    }
  }
}

/** What a registry says that a manifest lacks. */
function missingIn(error: unknown): Digest | undefined {
  if (!isRegistryError(error, 'MANIFEST_BLOB_UNKNOWN')) return undefined;
  const { detail } = error;
  const digest: unknown =
    typeof detail === 'object' && detail !== null && 'digest' in detail ? detail.digest : undefined;
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

/** @returns false if the cache does not have it either */
async function copyContent(copy: CopyMissing, digest: Digest, depth: number): Promise<boolean> {
  return (await copyBlob(copy, digest)) || (await copyManifest(copy, digest, depth));
}

async function copyBlob({ cached, local, repository, options }: CopyMissing, digest: Digest): Promise<boolean> {
  const { signal } = options ?? {};
  try {
    await using content = await cached.getBlob(repository, digest, { signal });
    await local.pushBlob(repository, { digest, size: content.descriptor.size }, content, { signal });
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    if (isUnknown(error) || isRegistryError(error)) return false;
    throw error;
  }
}

async function copyManifest(copy: CopyMissing, digest: Digest, depth: number): Promise<boolean> {
  const { cached, local, repository, options } = copy;
  const { signal } = options ?? {};
  try {
    const { bytes, descriptor } = await cached.getManifest(repository, digest, { signal });
    const push = (): Promise<unknown> =>
      local.pushManifest(repository, bytes, descriptor.mediaType, { digest, signal });
    await pushCopyingMissing(copy, push, depth + 1);
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    if (isRegistryError(error)) return false;
    throw error;
  }
}

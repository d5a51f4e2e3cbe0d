// Copies content that only the cache has into the local registry when a pushed manifest names it.
import { isDigest, isRegistryError } from '../../../model/index.ts';
import type { BlobContent, CallOptions, Digest, Reader, Registry } from '../../../model/index.ts';

import { isUnknown } from '../upstream/index.ts';

/** A push, and the registries between which missing content is copied. */
export interface CopyMissing {
  /** The cache, which may have the missing content. */
  cached: Reader;
  /** The registry that gets the push and the missing content. */
  local: Registry;
  /** The repository of the push. */
  repository: string;
  /** The options of the push. */
  options: CallOptions | undefined;
}

/** Contents that are copied for one manifest at most. */
const most = 1000;
/** Depth of indexes inside indexes. Deeper ones are refused, as without a cache. */
const deepest = 8;

/**
 * Pushes a manifest, and copies the content that it names and only the cache has. A client does not push a blob that
 * the cache showed it.
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

/** The digest that a registry misses for a manifest. */
function missingIn(error: unknown): Digest | undefined {
  if (!isRegistryError(error, 'MANIFEST_BLOB_UNKNOWN')) return undefined;
  const { detail } = error;
  const digest: unknown =
    typeof detail === 'object' && detail !== null && 'digest' in detail ? detail.digest : undefined;
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

/** @returns false if the cache does not have the content either */
async function copyContent(copy: CopyMissing, digest: Digest, depth: number): Promise<boolean> {
  return (await copyBlob(copy, digest)) || (await copyManifest(copy, digest, depth));
}

async function copyBlob({ cached, local, repository, options }: CopyMissing, digest: Digest): Promise<boolean> {
  const { signal } = options ?? {};
  try {
    await using content = await cached.getBlob(repository, digest, { signal });
    await local.pushBlob(repository, { digest, size: knownSize(content) }, content, { signal });
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

function knownSize({ descriptor: { size } }: BlobContent): number | undefined {
  return size === Number.POSITIVE_INFINITY ? undefined : size;
}

import { isRegistryError, verifiesPushes } from '../../model/index.ts';
import type { BlobContent, BlobUpload, CallOptions, Descriptor, Registry } from '../../model/index.ts';

import { inlineData } from '../content/index.ts';
import type { Image } from '../ref/index.ts';

/** Where a blob of an image is to be, and where it may come from. */
export interface BlobTarget {
  registry: Registry;
  repository: string;
  image: Image;
  /** A repository of the registry that may have it. */
  from: string | undefined;
  call: CallOptions;
}

/** Makes sure that a blob of an image is in a repository, in the cheapest way that there is. */
export async function ensureBlob(target: BlobTarget, blob: Descriptor): Promise<void> {
  const { registry, repository, image, from, call } = target;
  if (await isThere(target, blob)) return;
  if (hasUrls(blob) && !(await isInSource(target, blob))) return;
  // Not verified here, as whoever stores it verifies it, and not twice; nor by a client on the way, if the store is at hand.
  const verify = registry[verifiesPushes] !== true;
  const open = async (): Promise<Uint8Array | BlobContent> =>
    inlineData(blob) ?? image.source.openBlob(blob, { signal: call.signal, verify });
  const upload = from === undefined || from === repository ? undefined : await mount(target, blob, from);
  if (upload === 'mounted') return;
  if (upload === undefined) {
    await registry.pushBlob(repository, { digest: blob.digest, size: blob.size }, open, call);
    return;
  }
  try {
    await upload.commit(blob.digest, { ...call, source: open, size: blob.size });
  } catch (error) {
    // The error that matters is the first one; what nobody goes on with expires.
    await upload.cancel().catch(() => undefined);
    throw error;
  }
}

async function isThere({ registry, repository, call }: BlobTarget, { digest, size }: Descriptor): Promise<boolean> {
  try {
    const found = await registry.resolveBlob(repository, digest, call);
    // One of another size is damaged, there or in what names it: storing it finds out.
    if (found.size !== size) return false;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
  call.onEvent?.({ type: 'existing', repository, digest, size });
  return true;
}

/** Layers that may not be distributed, as those of Windows, are fetched from their makers. */
function hasUrls({ urls = [] }: Descriptor): boolean {
  return urls.length > 0;
}

async function isInSource({ image, call }: BlobTarget, blob: Descriptor): Promise<boolean> {
  try {
    const content = await image.source.openBlob(blob, { signal: call.signal });
    await content.cancel();
    return true;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}

/** @returns undefined where nothing can be mounted */
async function mount(
  { registry, repository, call }: BlobTarget,
  { digest }: Descriptor,
  from: string,
): Promise<'mounted' | BlobUpload | undefined> {
  try {
    const { upload } = await registry.mountBlob(from, repository, digest, call);
    return upload ?? 'mounted';
  } catch (error) {
    if (isRegistryError(error, 'UNSUPPORTED')) return undefined;
    throw error;
  }
}

function isUnknown(error: unknown): boolean {
  return isRegistryError(error, 'BLOB_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

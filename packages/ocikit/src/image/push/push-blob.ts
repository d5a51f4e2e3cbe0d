// Brings one blob of an image or index into a repository: found there, mounted, or sent.
import { hasUrls, isBlobUnknown, isRegistryError, verifiesPushes } from '../../model/index.ts';
import type { BlobContent, BlobUpload, CallOptions, Descriptor, Registry } from '../../model/index.ts';

import { inlineData } from '../content/index.ts';
import type { Ref } from '../ref/index.ts';

/** The target of a blob, and the places it may come from. */
export interface BlobTarget {
  /** The registry to push to. */
  registry: Registry;
  /** The repository to push to. */
  repository: string;
  /** The image or index that names the blob. */
  ref: Ref;
  /** A repository of the same registry to mount the blob from; undefined: none. */
  from: string | undefined;
  /** The options of the push. */
  call: CallOptions;
}

/** Makes sure that a repository has a blob of an image or index, in the cheapest way. */
export async function ensureBlob(target: BlobTarget, blob: Descriptor): Promise<void> {
  const { registry, repository, ref, from, call } = target;
  if (await isThere(target, blob)) return;
  if (hasUrls(blob) && !(await isInSource(target, blob))) return;
  // The registry verifies each push. If it says so, the source need not verify the blob too.
  const verify = registry[verifiesPushes] !== true;
  const open = async (): Promise<Uint8Array | BlobContent> =>
    inlineData(blob) ?? ref.source.openBlob(blob, { signal: call.signal, verify });
  const upload = from === undefined || from === repository ? undefined : await mount(target, blob, from);
  if (upload === 'mounted') return;
  if (upload === undefined) {
    await registry.pushBlob(repository, { digest: blob.digest, size: blob.size }, open, call);
    return;
  }
  try {
    await upload.commit(blob.digest, { ...call, source: open, size: blob.size });
  } catch (error) {
    // Report the first error. An upload that cannot be cancelled expires.
    await upload.cancel().catch(() => undefined);
    throw error;
  }
}

async function isThere({ registry, repository, call }: BlobTarget, { digest, size }: Descriptor): Promise<boolean> {
  try {
    const found = await registry.resolveBlob(repository, digest, { ...call, size });
    // A different size means damage, there or in the manifest. Storing the blob again shows which.
    if (found.size !== size) return false;
  } catch (error) {
    if (isBlobUnknown(error)) return false;
    throw error;
  }
  call.onEvent?.({ type: 'existing', repository, digest, size });
  return true;
}

async function isInSource({ ref, call }: BlobTarget, blob: Descriptor): Promise<boolean> {
  try {
    const content = await ref.source.openBlob(blob, { signal: call.signal });
    await content.cancel();
    return true;
  } catch (error) {
    if (isBlobUnknown(error)) return false;
    throw error;
  }
}

/** @returns undefined if the registry does not support mounts */
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

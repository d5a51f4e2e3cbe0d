// Pushes an image or an index, with all that it names.
import { assertRepository, assertTag, isRegistryError, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, PushedManifest, Registry, TagCondition } from '../../model/index.ts';

import { blobsOf, walk } from '../ref/index.ts';
import type { Ref, WalkOptions } from '../ref/index.ts';

import { inParallel } from './in-parallel.ts';
import { ensureBlob } from './push-blob.ts';
import { isMissing, selectPlatforms } from './select-platforms.ts';
import type { PlatformSelection } from './select-platforms.ts';

/** Options of {@link push}. */
export interface PushOptions extends CallOptions {
  /** Tags for the image or index itself. The manifests that an index names get none. Default: none. */
  tags?: readonly string[] | undefined;
  /** Set the tags only if each of them has this digest now; null: only if none of them exists. Or one for each tag. */
  ifTag?: TagCondition | undefined;
  /** A repository of the same registry to mount blobs from, so that they need not be sent. Default: none. */
  mountFrom?: string | ((blob: Descriptor) => string | undefined) | undefined;
  /** How many blobs are sent at a time. Default: 4. */
  concurrency?: number | undefined;
  /** How many indexes may be nested. Default: 8. */
  depth?: number | undefined;
  /**
   * The entries of an index to push: all; those whose content the source has (`present`), as `docker save` and mirrors
   * leave platforms out; or those for these platforms. If an entry is left out, an index without it is pushed, which
   * has another digest. Default: `all`.
   */
  platforms?: PlatformSelection | undefined;
}

/**
 * Pushes an image or index with all that it names, from any source: blobs before the manifests that name them, and
 * children before parents. Content that the repository has already is not sent. A blob with `urls` is left out if the
 * source does not have it.
 *
 * Rejects like `Registry.pushBlob`, `Registry.pushManifest` and the source. Rejects with MANIFEST_UNKNOWN if the source
 * lacks a manifest that is to be pushed, or if an index has no entry for one of `platforms`. Content that was stored
 * before the error stays, but nothing is tagged.
 *
 * @example
 * await using layout = openLayout('./images');
 * const ref = await pull(createClient({ host: 'docker.io' }), 'library/alpine', { tag: 'latest' });
 * await push(layout, 'library/alpine', ref, { tags: ['latest'] });
 */
export async function push(
  registry: Registry,
  repository: string,
  ref: Ref,
  options: PushOptions = {},
): Promise<PushedManifest> {
  const { tags = [], ifTag, mountFrom, concurrency = 4, depth, platforms = 'all', ...call } = options;
  // Check names first: an invalid name must not leave content behind.
  assertRepository(repository);
  for (const tag of tags) assertTag(tag);
  const from = typeof mountFrom === 'function' ? mountFrom : () => mountFrom;
  const selected = await selectPlatforms(ref, platforms, depth ?? 8, call);
  const { digest: root, size } = selected.descriptor;
  call.onEvent?.({ type: 'planned', repository, digest: root, size });
  for await (const each of allOf(selected, { depth, ...call })) {
    await pushBlobs(registry, repository, each, { from, concurrency, call });
    if (each.descriptor.digest !== root) await pushChild(registry, repository, each, call);
  }
  return registry.pushManifest(repository, selected.bytes, selected.descriptor.mediaType, {
    ...call,
    digest: root,
    tags,
    ifTag,
  });
}

/** All images and indexes of a ref. The error for one that the source does not have tells about `platforms`. */
async function* allOf(ref: Ref, options: WalkOptions): AsyncGenerator<Ref, void, undefined> {
  try {
    yield* walk(ref, options);
  } catch (error) {
    if (ref.kind === 'image' || !isMissing(error)) throw error;
    const hint = "if the source has only some platforms of the index, push them with the option platforms: 'present'";
    throw new RegistryError(error.code, `${error.message}; ${hint}`, { cause: error, detail: error.detail });
  }
}

interface BlobsOptions {
  from: (blob: Descriptor) => string | undefined;
  concurrency: number;
  call: CallOptions;
}

async function pushBlobs(
  registry: Registry,
  repository: string,
  ref: Ref,
  { from, concurrency, call }: BlobsOptions,
): Promise<void> {
  const blobs = new Map(blobsOf(ref).map((blob) => [blob.digest, blob]));
  for (const { digest, size } of blobs.values()) call.onEvent?.({ type: 'planned', repository, digest, size });
  await inParallel([...blobs.values()], { concurrency, signal: call.signal }, (blob, signal) =>
    ensureBlob({ registry, repository, ref, from: from(blob), call: { ...call, signal } }, blob),
  );
}

/** Pushes a manifest that an index names, without tags, if the repository does not have it. */
async function pushChild(registry: Registry, repository: string, ref: Ref, call: CallOptions): Promise<void> {
  const { digest, size, mediaType } = ref.descriptor;
  call.onEvent?.({ type: 'planned', repository, digest, size });
  if (await hasManifest(registry, repository, digest, call)) {
    call.onEvent?.({ type: 'existing', repository, digest, size });
    return;
  }
  await registry.pushManifest(repository, ref.bytes, mediaType, { ...call, digest });
}

async function hasManifest(
  registry: Registry,
  repository: string,
  digest: Digest,
  call: CallOptions,
): Promise<boolean> {
  try {
    await registry.resolveManifest(repository, digest, call);
    return true;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND')) return false;
    throw error;
  }
}

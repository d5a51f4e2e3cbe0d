// Writing to the memory registry.
import {
  assertCondition,
  assertRepository,
  assertStrictMediaTypes,
  blobDescriptor,
  defaultAlgorithm,
  digestAlgorithm,
  hasUrls,
  immutableTag,
  immutableType,
  isRegistryError,
  parseDigest,
  readSource,
  RedirectError,
  RegistryError,
  splitDigest,
  VerifyingReader,
} from '../../model/index.ts';
import type { BlobIdentity, CallOptions, Descriptor, Digest, PushManifestOptions, Writer } from '../../model/index.ts';
import { MemoryStage } from '../blobs/index.ts';
import type { BlobStage } from '../blobs/index.ts';
import { assertLinkSize, checkPushedManifest, firstMissing, linkUnknown, reportBytes } from '../repository/index.ts';
import type { PushedContent } from '../repository/index.ts';
import type { UploadBackend, UploadSessions } from '../uploads/index.ts';

import { sizeOfBlob } from './reader.ts';
import type { MemoryState } from './state.ts';

/** The writing methods. */
export function memoryWriter(state: MemoryState, uploads: UploadSessions): Writer {
  return {
    async pushBlob(repository, blob, source, options = {}) {
      const { signal, onEvent } = options;
      signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(blob.digest);
      onEvent?.({ type: 'started', repository, digest: blob.digest, size: blob.size });
      const pieces = reportBytes(readSource(source, signal), repository, blob, onEvent);
      return putBlob(state, repository, blob, pieces, options);
    },

    async startUpload(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      assertTakesBlobs(state);
      return uploads.start(repository, digestAlgorithm(options.algorithm ?? defaultAlgorithm).name);
    },

    async resumeUpload(repository, id, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      return uploads.resume(repository, id, options.offset);
    },

    async mountBlob(from, repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      if (typeof from === 'string') assertRepository(from);
      parseDigest(digest);
      const algorithm = digestAlgorithm(options.algorithm ?? splitDigest(digest).algorithm).name;
      const size =
        typeof from === 'function'
          ? await mountFirst(state, from, repository, digest)
          : (mountOwned(state, from, repository, digest) ??
            (await mountForeign(state, from, repository, digest, options)));
      if (size === undefined) {
        assertTakesBlobs(state);
        return { upload: uploads.start(repository, algorithm) };
      }
      options.onEvent?.({
        type: 'mounted',
        repository,
        digest,
        size,
        from: typeof from === 'string' ? from : undefined,
      });
      return { descriptor: blobDescriptor(digest, size) };
    },

    async pushManifest(repository, bytes, mediaType, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      const pushed = await checkPushedManifest(bytes, mediaType, options);
      options.signal?.throwIfAborted();
      const { descriptor, tags, links } = pushed;
      const { digest } = descriptor;
      if (state.strictMediaTypes) assertStrictMediaTypes(pushed.document);
      const elsewhere = state.sparse ? undefined : await linksOnlyInStore(state, repository, pushed, options);
      // From here to the end there is no await, so nothing can be deleted before the manifest and its tags are set.
      if (elsewhere !== undefined) assertLinksExist(state, repository, pushed, elsewhere);
      assertTagsMaySet(state, repository, tags, { digest, mediaType }, options.ifTag);

      const { index, manifestBytes } = state.createRepository(repository);
      manifestBytes.set(digest, pushed.bytes);
      const { digests, referrer } = pushed;
      index.putManifest({ descriptor, links: digests, subject: links.subject?.digest, referrer }, Date.now());
      for (const tag of tags) {
        state.history.note(repository, tag, { previous: index.digestOfTag(tag), digest, context: options.context });
        index.setTag(tag, digest);
      }
      options.onEvent?.({ type: 'done', repository, digest, size: descriptor.size });
      return {
        descriptor: { ...descriptor },
        tags,
        ...(links.subject === undefined ? {} : { subject: links.subject.digest }),
      };
    },
  };
}

/**
 * Writes content to the blob store and adds the blob to the repository. Checks that the content was read to its end and
 * is correct, whatever the blob store did with it.
 */
async function putBlob(
  state: MemoryState,
  repository: string,
  blob: BlobIdentity,
  pieces: AsyncIterable<Uint8Array>,
  options: CallOptions,
): Promise<Descriptor> {
  const { digest } = blob;
  const { blobs } = state;
  assertTakesBlobs(state);
  const verifying = new VerifyingReader(pieces, blob);
  const content = verifying[Symbol.asyncIterator]();
  try {
    await state.owners.whileWriting(digest, repository, async (home) => {
      const found = await wasFound(state, home, digest);
      await blobs.put?.(home, blob, content, options);
      // A store that has the blob already may have stopped reading early, or may have hidden an error.
      while ((await content.next()).done !== true);
      if (!verifying.verified) {
        throw new RegistryError(
          'DIGEST_INVALID',
          `the content of ${digest} was not verified: it could not be read to its end`,
        );
      }
      options.onEvent?.({ type: 'verified', repository, digest, size: verifying.size });
      state.linkBlob(repository, digest, verifying.size, { found });
    });
  } finally {
    // A store that failed in the middle may have left the source open.
    await content.return();
  }
  options.onEvent?.({ type: 'done', repository, digest, size: verifying.size });
  return blobDescriptor(digest, verifying.size);
}

function assertTakesBlobs({ blobs }: MemoryState): void {
  if (blobs.put === undefined)
    throw new RegistryError('UNSUPPORTED', 'this registry does not accept blobs: its blob store has no put method');
}

/** Keeps the bytes of uploads in the blob store, and adds finished blobs to their repository. */
export function uploadBackend(state: MemoryState, ids: UploadBackend['ids']): UploadBackend<BlobStage> {
  const { blobs, owners } = state;
  // A blob store without stages gets the bytes when all of them have arrived.
  const memoryStage = (): MemoryStage =>
    new MemoryStage(async (repository, digest, pieces) => {
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      await putBlob(state, repository, { digest, size }, iterate(pieces), {});
    });
  return {
    ids,
    stage: (repository) => blobs.stage?.(repository) ?? memoryStage(),
    async keep(repository, digest, size, stage) {
      if (blobs.stage === undefined) return stage.keep(repository, digest);
      return owners.whileWriting(digest, repository, async (home) => {
        const found = await wasFound(state, home, digest);
        await stage.keep(home, digest);
        state.linkBlob(repository, digest, size, { found });
      });
    },
  };
}

async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}

/**
 * Mounts a blob of another repository. It contains no await, so nothing can be deleted in between.
 *
 * @returns the blob's size; undefined if it is not found
 */
function mountOwned(
  state: MemoryState,
  from: string | undefined,
  repository: string,
  digest: Digest,
): number | undefined {
  const source = from ?? state.owners.any(digest);
  const entry = source === undefined ? undefined : state.repositories.get(source)?.index.blobs.get(digest);
  if (entry === undefined) return undefined;
  entry.usedAt = Date.now();
  state.linkBlob(repository, digest, entry.size);
  return entry.size;
}

/** Mounts a blob from the first repository that is accepted and then still has the blob. */
async function mountFirst(
  state: MemoryState,
  accepts: (repository: string) => boolean | Promise<boolean>,
  repository: string,
  digest: Digest,
): Promise<number | undefined> {
  for (const from of state.owners.all(digest)) {
    const size = (await accepts(from)) ? mountOwned(state, from, repository, digest) : undefined;
    if (size !== undefined) return size;
  }
  return undefined;
}

/** Mounts a blob that was never pushed to this registry but is in its blob store. */
async function mountForeign(
  state: MemoryState,
  from: string | undefined,
  repository: string,
  digest: Digest,
  options: CallOptions,
): Promise<number | undefined> {
  if (state.owners.has(digest)) return undefined;
  const home = from ?? repository;
  try {
    const size = await sizeOfBlob(state, home, digest, options);
    // If it was pushed meanwhile, it belongs to other repositories.
    if (state.owners.has(digest)) return undefined;
    state.linkBlob(repository, digest, size, { home, found: true });
    return size;
  } catch (error) {
    if (isRegistryError(error)) return undefined;
    throw error;
  }
}

/**
 * The sizes of the named blobs that were never pushed to this registry but are in its blob store.
 *
 * @throws RegistryError MANIFEST_BLOB_UNKNOWN with the first missing digest
 */
async function linksOnlyInStore(
  state: MemoryState,
  repository: string,
  pushed: PushedContent,
  options: CallOptions,
): Promise<Map<Digest, number | undefined>> {
  const elsewhere = new Map<Digest, number | undefined>();
  const missing = await firstMissing(pushed.links, {
    hasBlob(digest) {
      if (hasBlob(state, repository, digest) || isChild(state, repository, pushed, digest)) return true;
      if (state.owners.has(digest)) return false;
      return inStore(state, repository, digest, options).then((found) => {
        if (found !== undefined) elsewhere.set(digest, found.size);
        return found !== undefined;
      });
    },
    hasManifest: (digest) => hasManifest(state, repository, digest),
  });
  if (missing !== undefined) throw linkUnknown(repository, missing);
  return elsewhere;
}

/** @throws RegistryError MANIFEST_BLOB_UNKNOWN or MANIFEST_INVALID, naming the first missing or different content */
function assertLinksExist(
  state: MemoryState,
  repository: string,
  pushed: PushedContent,
  elsewhere: ReadonlyMap<Digest, number | undefined>,
): void {
  const { blobs, manifests } = pushed.links;
  const hasBlobOrChild = ({ digest }: Descriptor): boolean =>
    hasBlob(state, repository, digest) || isChild(state, repository, pushed, digest);
  const isMissing = (link: Descriptor, isThere: boolean): boolean =>
    !isThere && !elsewhere.has(link.digest) && !hasUrls(link);
  const missing =
    blobs.find((blob) => isMissing(blob, hasBlobOrChild(blob))) ??
    manifests.find((child) => isMissing(child, hasManifest(state, repository, child.digest)));
  if (missing !== undefined) throw linkUnknown(repository, missing);
  const index = state.repositories.get(repository)?.index;
  for (const blob of blobs) {
    const size = index?.blobs.get(blob.digest)?.size ?? elsewhere.get(blob.digest);
    const isOnlyChild = size === undefined && isChild(state, repository, pushed, blob.digest);
    assertLinkSize(repository, blob, isOnlyChild ? index?.manifests.get(blob.digest)?.descriptor.size : size);
  }
  for (const child of manifests) {
    assertLinkSize(repository, child, index?.manifests.get(child.digest)?.descriptor.size);
  }
}

function hasBlob(state: MemoryState, repository: string, digest: Digest): boolean {
  return state.repositories.get(repository)?.index.blobs.has(digest) === true;
}

function hasManifest(state: MemoryState, repository: string, digest: Digest): boolean {
  return state.repositories.get(repository)?.index.manifests.has(digest) === true;
}

/** True for a manifest to which a pushed index gives an unknown type, so that it counts as a blob of the index. */
function isChild(state: MemoryState, repository: string, { document }: PushedContent, digest: Digest): boolean {
  return document.kind === 'index' && hasManifest(state, repository, digest);
}

/** True if the blob store has content that was never pushed to this registry. */
async function wasFound(state: MemoryState, home: string, digest: Digest): Promise<boolean> {
  return !state.owners.has(digest) && (await inStore(state, home, digest, {})) !== undefined;
}

/** The content's size in the blob store, unknown if the store redirects; undefined if it has no such content. */
async function inStore(
  state: MemoryState,
  repository: string,
  digest: Digest,
  options: CallOptions,
): Promise<{ size: number | undefined } | undefined> {
  try {
    return { size: await sizeOfBlob(state, repository, digest, options) };
  } catch (error) {
    if (isRegistryError(error, 'BLOB_UNKNOWN')) return undefined;
    if (error instanceof RedirectError) return { size: undefined };
    throw error;
  }
}

function assertTagsMaySet(
  state: MemoryState,
  repository: string,
  tags: readonly string[],
  pushed: { digest: Digest; mediaType: string },
  ifTag: PushManifestOptions['ifTag'],
): void {
  const index = state.repositories.get(repository)?.index;
  for (const tag of tags) {
    const found = index?.digestOfTag(tag);
    assertCondition(tag, ifTag, found);
    if (state.immutableTags && found !== undefined && found !== pushed.digest) throw immutableTag(tag, found);
  }
  const before = index?.manifests.get(pushed.digest);
  if (state.immutableTags && before !== undefined && before.descriptor.mediaType !== pushed.mediaType) {
    const tag = index?.tagThatReaches(pushed.digest);
    if (tag !== undefined) throw immutableType(tag, before.descriptor.mediaType);
  }
}

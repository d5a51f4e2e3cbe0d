// Deleting in the memory registry.
import {
  assertRepository,
  assertTag,
  blobUnknown,
  isRegistryError,
  manifestUnknown,
  nameUnknown,
  parseDigest,
  RegistryError,
  tagMoved,
} from '../../model/index.ts';
import type { CallOptions, Deleter, Digest } from '../../model/index.ts';

import type { MemoryState } from './state.ts';

/** The deleting methods. */
export function memoryDeleter(state: MemoryState): Deleter {
  const refuseIfReached = (repository: string, digest: Digest): void => {
    if (!state.immutableTags) return;
    const tag = state.repository(repository).index.tagThatReaches(digest);
    if (tag !== undefined)
      throw new RegistryError('DENIED', `${digest} cannot be deleted: the immutable tag ${repository}:${tag} needs it`);
  };

  return {
    async deleteBlob(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      if (state.blobs.delete === undefined) {
        throw new RegistryError(
          'UNSUPPORTED',
          'this registry cannot delete blobs: its blob store has no delete method',
        );
      }
      const known = state.repositories.get(repository);
      if (known?.index.blobs.has(digest) === true) {
        refuseIfReached(repository, digest);
        removeBlobLink(state, repository, digest);
        await state.owners.remove(digest, repository);
      } else {
        // A blob that was pushed belongs to other repositories. Any other blob may be in the blob store nevertheless.
        if (state.owners.has(digest))
          throw known === undefined ? nameUnknown(repository) : blobUnknown(repository, digest);
        await state.blobs.delete(repository, digest, options ?? {}).catch((error: unknown) => {
          throw isRegistryError(error, 'BLOB_UNKNOWN') && known === undefined ? nameUnknown(repository) : error;
        });
      }
    },
    async deleteManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const { index } = state.repository(repository);
      if (!index.manifests.has(digest)) throw manifestUnknown(repository, digest);
      refuseIfReached(repository, digest);
      removeManifest(state, repository, digest, options);
    },
    async deleteTag(repository, tag, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      assertTag(tag);
      const { index } = state.repository(repository);
      const digest = index.digestOfTag(tag);
      if (digest === undefined) throw manifestUnknown(repository, tag);
      if (options.ifTag !== undefined && options.ifTag !== digest) throw tagMoved(tag, options.ifTag, digest);
      if (state.immutableTags)
        throw new RegistryError('UNSUPPORTED', 'tags cannot be deleted: this registry makes them immutable');
      state.history.note(repository, tag, { previous: digest, digest: undefined, context: options.context });
      index.removeTag(tag);
    },
  };
}

/** Removes a manifest and its tags from a repository. */
export function removeManifest(
  state: MemoryState,
  repository: string,
  digest: Digest,
  { context }: CallOptions = {},
): void {
  const { index, manifestBytes } = state.repository(repository);
  for (const tag of index.manifests.get(digest)?.tags ?? []) {
    state.history.note(repository, tag, { previous: digest, digest: undefined, context });
  }
  index.removeManifest(digest);
  manifestBytes.delete(digest);
  state.forgetIfEmpty(repository);
}

/** Removes a blob from a repository. Call `owners.remove` next, which decides whether to delete its bytes. */
export function removeBlobLink(state: MemoryState, repository: string, digest: Digest): void {
  state.repository(repository).index.blobs.delete(digest);
  state.forgetIfEmpty(repository);
}

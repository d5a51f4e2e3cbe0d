import { assertRepository, assertTag, parseDigest } from '../../model/index.ts';
import type { Descriptor, Digest, Reader } from '../../model/index.ts';
import { manifestUnknown } from '../repository/index.ts';

import { blobDescriptor } from './reading.ts';
import type { LayoutState, ManifestFile } from './state.ts';

export function layoutReader(state: LayoutState): Reader {
  const { store } = state;

  async function manifest(repository: string, digest: Digest): Promise<ManifestFile> {
    const layout = await store.layoutOf(repository);
    const found = (): Descriptor | undefined =>
      state.isBeingRemoved(repository, digest)
        ? undefined
        : layout.repositories.get(repository)?.index.manifests.get(digest)?.descriptor;
    if (found() === undefined) await layout.explore(repository);
    const descriptor = found();
    if (descriptor === undefined) throw await state.manifestUnknown(layout, repository, digest);
    const path = layout.blobPath(digest);
    state.used.touch(path);
    return { layout, path, descriptor };
  }

  async function tagged(repository: string, tag: string): Promise<ManifestFile> {
    assertRepository(repository);
    assertTag(tag);
    const layout = await store.layoutOf(repository);
    const index = layout.repositories.get(repository)?.index;
    const digest = index?.digestOfTag(tag);
    const entry = digest === undefined ? undefined : index?.manifests.get(digest);
    if (entry === undefined) throw await state.manifestUnknown(layout, repository, tag);
    const path = layout.blobPath(entry.descriptor.digest);
    state.used.touch(path);
    return { layout, path, descriptor: entry.descriptor };
  }

  return {
    async getBlob(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const layout = await store.layoutOf(repository);
      const size = await state.sizeOfBlob(layout, repository, digest);
      if (size === undefined) throw await state.blobUnknown(layout, repository, digest);
      state.used.touch(layout.blobPath(digest));
      return state.openBlob(layout, digest, size, options);
    },
    async resolveBlob(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const layout = await store.layoutOf(repository);
      // Before the look: who removes unused content meanwhile sees that it is used.
      state.used.touch(layout.blobPath(digest));
      const size = await state.sizeOfBlob(layout, repository, digest);
      if (size !== undefined) return blobDescriptor(digest, size);
      throw await state.blobUnknown(layout, repository, digest);
    },
    async getManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      const file = await manifest(repository, parseDigest(digest));
      const bytes = state.keptManifest(file.path) ?? (await state.readManifest(repository, file));
      return { descriptor: { ...file.descriptor }, bytes };
    },
    async getTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      const file = await tagged(repository, tag);
      const bytes = state.keptManifest(file.path) ?? (await state.readManifest(repository, file));
      return { descriptor: { ...file.descriptor }, bytes };
    },
    async resolveManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      return present(repository, await manifest(repository, parseDigest(digest)));
    },
    async resolveTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      return present(repository, await tagged(repository, tag));
    },
  };

  /** A manifest whose file is gone or cut short is not there, whatever the index says. */
  function present(repository: string, file: ManifestFile): Descriptor {
    if (state.hasManifestFile(file)) return { ...file.descriptor };
    throw manifestUnknown(repository, file.descriptor.digest);
  }
}

import { assertRepository, assertTag, parseDigest } from '../../model/index.ts';
import type { Descriptor, Digest, Reader } from '../../model/index.ts';
import { manifestUnknown } from '../repository/index.ts';

import { blobDescriptor } from './reading.ts';
import type { LayoutState } from './state.ts';

/** A manifest of a repository, and its file. */
interface Found {
  path: string;
  descriptor: Descriptor;
}

export function layoutReader(state: LayoutState): Reader {
  const { store } = state;

  async function manifest(repository: string, digest: Digest): Promise<Found> {
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
    return { path, descriptor };
  }

  async function tagged(repository: string, tag: string): Promise<Found> {
    assertRepository(repository);
    assertTag(tag);
    const layout = await store.layoutOf(repository);
    const index = layout.repositories.get(repository)?.index;
    const digest = index?.digestOfTag(tag);
    const entry = digest === undefined ? undefined : index?.manifests.get(digest);
    if (entry === undefined) throw await state.manifestUnknown(layout, repository, tag);
    const path = layout.blobPath(entry.descriptor.digest);
    state.used.touch(path);
    return { path, descriptor: entry.descriptor };
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
      const { path, descriptor } = await manifest(repository, parseDigest(digest));
      const bytes = state.keptManifest(path) ?? (await state.readManifest(path, repository, descriptor));
      return { descriptor: { ...descriptor }, bytes };
    },
    async getTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      const { path, descriptor } = await tagged(repository, tag);
      const bytes = state.keptManifest(path) ?? (await state.readManifest(path, repository, descriptor));
      return { descriptor: { ...descriptor }, bytes };
    },
    async resolveManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      const { path, descriptor } = await manifest(repository, parseDigest(digest));
      return present(path, repository, descriptor);
    },
    async resolveTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      const { path, descriptor } = await tagged(repository, tag);
      return present(path, repository, descriptor);
    },
  };

  /** A manifest whose file is gone or cut short is not there, whatever the index says. */
  async function present(path: string, repository: string, descriptor: Descriptor): Promise<Descriptor> {
    if (state.hasManifestFile(path, descriptor)) return { ...descriptor };
    throw manifestUnknown(repository, descriptor.digest);
  }
}

import { assertRepository, assertTag, parseDigest } from '../../model/index.ts';
import type { Descriptor, Digest, Reader } from '../../model/index.ts';
import { manifestUnknown } from '../repository/index.ts';

import type { Layout } from './layout.ts';
import { blobDescriptor } from './reading.ts';
import type { LayoutState } from './state.ts';

export function layoutReader(state: LayoutState): Reader {
  const { store } = state;

  async function manifest(repository: string, digest: Digest): Promise<{ layout: Layout; descriptor: Descriptor }> {
    const layout = await store.layoutOf(repository);
    const found = (): Descriptor | undefined =>
      state.isBeingRemoved(repository, digest)
        ? undefined
        : layout.repositories.get(repository)?.index.manifests.get(digest)?.descriptor;
    if (found() === undefined) await layout.explore(repository);
    const descriptor = found();
    if (descriptor === undefined) throw await state.manifestUnknown(layout, repository, digest);
    state.used.touch(layout.blobPath(digest));
    return { layout, descriptor };
  }

  async function tagged(repository: string, tag: string): Promise<{ layout: Layout; descriptor: Descriptor }> {
    assertRepository(repository);
    assertTag(tag);
    const layout = await store.layoutOf(repository);
    const index = layout.repositories.get(repository)?.index;
    const digest = index?.digestOfTag(tag);
    const entry = digest === undefined ? undefined : index?.manifests.get(digest);
    if (entry === undefined) throw await state.manifestUnknown(layout, repository, tag);
    state.used.touch(layout.blobPath(entry.descriptor.digest));
    return { layout, descriptor: entry.descriptor };
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
      const { layout, descriptor } = await manifest(repository, parseDigest(digest));
      return { descriptor: { ...descriptor }, bytes: await state.readManifest(layout, repository, descriptor) };
    },
    async getTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      const { layout, descriptor } = await tagged(repository, tag);
      return { descriptor: { ...descriptor }, bytes: await state.readManifest(layout, repository, descriptor) };
    },
    async resolveManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      const { layout, descriptor } = await manifest(repository, parseDigest(digest));
      return present(layout, repository, descriptor);
    },
    async resolveTag(repository, tag, options) {
      options?.signal?.throwIfAborted();
      const { layout, descriptor } = await tagged(repository, tag);
      return present(layout, repository, descriptor);
    },
  };

  /** A manifest whose file is gone or cut short is not there, whatever the index says. */
  async function present(layout: Layout, repository: string, descriptor: Descriptor): Promise<Descriptor> {
    if (await state.hasManifestFile(layout, descriptor)) return { ...descriptor };
    throw manifestUnknown(repository, descriptor.digest);
  }
}

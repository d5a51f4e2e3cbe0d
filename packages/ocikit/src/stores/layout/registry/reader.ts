// The reading methods of a layout registry.
import { assertRepository, assertTag, blobDescriptor, parseDigest } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Manifest, Reader } from '../../../model/index.ts';

import { manifestUnknown, Recent } from '../../repository/index.ts';

import type { Layout } from '../index/index.ts';

import type { FoundBlob } from './blob-reads.ts';
import type { LayoutState, ManifestFile } from './state.ts';

/** The reading methods of a layout registry. */
export function layoutReader(state: LayoutState): Reader {
  const { store } = state;

  /** Avoids a promise when the layout is open already, in nearly each request. */
  const layoutOf = (repository: string): Layout | Promise<Layout> =>
    store.loadedLayoutOf(repository) ?? store.layoutOf(repository);

  /** Paths of recently used manifests. A newly built string would be hashed again for each map lookup. */
  const paths = new Recent<Descriptor, string>(4096);

  /** @param descriptor the object from the index */
  function fileOf(layout: Layout, descriptor: Descriptor | undefined): ManifestFile | undefined {
    if (descriptor === undefined) return undefined;
    let path = paths.get(descriptor);
    if (path === undefined) {
      path = layout.blobPath(descriptor.digest);
      paths.set(descriptor, path);
    }
    state.used.touch(path);
    return { layout, path, descriptor };
  }

  function found(layout: Layout, repository: string, digest: Digest): ManifestFile | undefined {
    if (state.claims.isBeingRemoved(repository, digest)) return undefined;
    return fileOf(layout, layout.repositories.get(repository)?.index.manifests.get(digest)?.descriptor);
  }

  async function manifest(repository: string, digest: Digest, options: CallOptions | undefined): Promise<ManifestFile> {
    options?.signal?.throwIfAborted();
    assertRepository(repository);
    parseDigest(digest);
    const layout = await layoutOf(repository);
    let file = found(layout, repository, digest);
    if (file !== undefined) return file;
    await layout.explore(repository);
    file = found(layout, repository, digest);
    if (file === undefined) throw await state.manifestUnknown(layout, repository, digest);
    return file;
  }

  async function tagged(repository: string, tag: string, options: CallOptions | undefined): Promise<ManifestFile> {
    options?.signal?.throwIfAborted();
    assertRepository(repository);
    assertTag(tag);
    const layout = await layoutOf(repository);
    const index = layout.repositories.get(repository)?.index;
    const digest = index?.digestOfTag(tag);
    const file = fileOf(layout, digest === undefined ? undefined : index?.manifests.get(digest)?.descriptor);
    if (file === undefined) throw await state.manifestUnknown(layout, repository, tag);
    return file;
  }

  /** Finds a blob and counts it as used. */
  async function usedBlob(
    repository: string,
    digest: Digest,
    { signal }: CallOptions,
  ): Promise<{ layout: Layout; found: FoundBlob }> {
    signal?.throwIfAborted();
    assertRepository(repository);
    parseDigest(digest);
    const layout = await layoutOf(repository);
    // Before the check, so that a concurrent removal of unused content sees the use.
    state.used.touch(layout.blobPath(digest));
    const blob = await state.findBlob(layout, repository, digest);
    if (blob === undefined) throw await state.blobUnknown(layout, repository, digest);
    return { layout, found: blob };
  }

  return {
    async getBlob(repository, digest, options = {}) {
      const { layout, found: blob } = await usedBlob(repository, digest, options);
      return state.openBlob(layout, digest, blob, options);
    },
    async resolveBlob(repository, digest, options = {}) {
      return blobDescriptor(digest, (await usedBlob(repository, digest, options)).found.size);
    },
    async getManifest(repository, digest, options) {
      return read(repository, await manifest(repository, digest, options));
    },
    async getTag(repository, tag, options) {
      return read(repository, await tagged(repository, tag, options));
    },
    async resolveManifest(repository, digest, options) {
      return present(repository, await manifest(repository, digest, options));
    },
    async resolveTag(repository, tag, options) {
      return present(repository, await tagged(repository, tag, options));
    },
  };

  function read(repository: string, file: ManifestFile): Manifest | Promise<Manifest> {
    const bytes = state.manifests.get(file.path);
    if (bytes !== undefined) return { descriptor: { ...file.descriptor }, bytes };
    return state.readManifest(repository, file).then((all) => ({ descriptor: { ...file.descriptor }, bytes: all }));
  }

  /** A manifest whose file is missing or truncated counts as missing, even if the index lists it. */
  function present(repository: string, file: ManifestFile): Descriptor {
    if (state.hasManifestFile(file)) return { ...file.descriptor };
    throw manifestUnknown(repository, file.descriptor.digest);
  }
}

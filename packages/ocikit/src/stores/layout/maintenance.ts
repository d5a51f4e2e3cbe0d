import { createReadStream } from 'node:fs';
import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { assertRepository, Digester, isDigest, parseDigest, RegistryError, splitDigest } from '../../model/index.ts';
import type { Digest, ListOptions, Maintenance } from '../../model/index.ts';
import { nameUnknown, page } from '../repository/index.ts';
import type { UploadSessions } from '../uploads/index.ts';

import { removeBlob, removeManifest } from './deleter.ts';
import { hasCode, isMissing } from './files.ts';
import type { Layout } from './layout.ts';
import { blobDescriptor } from './reading.ts';
import type { LayoutState } from './state.ts';

export function layoutMaintenance(state: LayoutState, uploads: () => Promise<UploadSessions>): Maintenance {
  const { store, leases } = state;

  return {
    async *manifests(repository, options = {}) {
      const layout = await open(repository, options);
      await layout.explore(repository);
      const index = layout.repositories.get(repository)?.index;
      for (const digest of page(index?.manifests.keys() ?? [], options)) {
        const entry = index?.manifests.get(digest);
        const times = timesOf(layout, digest);
        if (entry === undefined || times === undefined) continue;
        const { descriptor, tags } = entry;
        yield { descriptor: { ...descriptor }, tags: [...tags].toSorted(), size: descriptor.size, ...times };
      }
    },
    async *blobs(repository, options = {}) {
      const layout = await open(repository, options);
      for (const digest of page(await blobsOf(layout, repository), options)) {
        const size = await state.sizeOfBlob(layout, repository, digest);
        const times = timesOf(layout, digest);
        if (size === undefined || times === undefined) continue;
        yield { descriptor: blobDescriptor(digest, size), size, ...times };
      }
    },
    async *uploads(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      const ids = await store.ids();
      const names = (await entriesIn(store.private.uploads)).map(({ name }) => name);
      // Those that are being written now are in the directory, too.
      await uploads();
      for (const id of page(
        names.filter((name) => ids.check(repository, name) !== undefined),
        options,
      )) {
        const stats = await statsOf(join(store.private.uploads, id));
        if (stats === undefined || stats.size === 0) continue;
        yield { id, size: stats.size, createdAt: stats.birthtime, usedAt: stats.mtime };
      }
    },
    async verify(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const layout = await store.layoutOf(repository);
      const manifest = layout.repositories.get(repository)?.index.manifests.get(digest);
      const has = manifest !== undefined || (await state.sizeOfBlob(layout, repository, digest)) !== undefined;
      const isLinked = layout.repositories.get(repository)?.index.blobs.has(digest) === true;
      if (!has && !isLinked) return 'missing';
      return verifyFile(layout.blobPath(digest), digest, options.signal);
    },
    async removeUnused(repository, digest, { unusedSince }) {
      assertRepository(repository);
      parseDigest(digest);
      await store.own();
      const layout = await store.layoutOf(repository);
      const path = layout.blobPath(digest);
      const isBlob = (await state.sizeOfBlob(layout, repository, digest)) !== undefined;
      // From here until it is marked as being removed nothing waits.
      if (state.isBeingRemoved(repository, digest)) return false;
      const manifest = layout.repositories.get(repository)?.index.manifests.get(digest);
      const times = timesOf(layout, digest);
      if (times === undefined || times.usedAt.getTime() >= unusedSince.getTime()) return false;
      if (leases.has(repository, digest) || state.isBeingWritten(path)) return false;
      if (manifest !== undefined) {
        if (manifest.tags.size > 0) return false;
        await state.whileRemoving(repository, digest, () => removeManifest(state, layout, repository, digest));
        return true;
      }
      if (!isBlob) return false;
      await state.whileRemoving(repository, digest, () => removeBlob(state, layout, repository, digest));
      return true;
    },
    async lease(repository, digests) {
      assertRepository(repository);
      return leases.take(repository, digests);
    },
    async usage() {
      const names = await store.names();
      const sizes = new Map<Digest, number>();
      let [repositories, manifests, uploadCount, uploadSize] = [0, 0, 0, 0];
      for (const name of names.after(undefined, Infinity)) {
        const layout = await store.layoutOf(name);
        if (!(await state.exists(layout, name))) continue;
        repositories++;
        const index = layout.repositories.get(name)?.index;
        manifests += index?.manifests.size ?? 0;
        for (const [digest, { descriptor }] of index?.manifests ?? []) sizes.set(digest, descriptor.size);
        for (const digest of await blobsOf(layout, name)) {
          const size = await state.sizeOfBlob(layout, name, digest);
          if (size !== undefined) sizes.set(digest, size);
        }
      }
      for (const { name: id } of await entriesIn(store.private.uploads)) {
        const stats = await statsOf(join(store.private.uploads, id));
        if (stats === undefined || stats.size === 0) continue;
        uploadCount++;
        uploadSize += stats.size;
      }
      const size = [...sizes.values()].reduce((sum, one) => sum + one, uploadSize);
      return { repositories, manifests, blobs: Math.max(sizes.size - manifests, 0), uploads: uploadCount, size };
    },
  };

  async function open(repository: string, { signal }: ListOptions): Promise<Layout> {
    signal?.throwIfAborted();
    assertRepository(repository);
    const layout = await store.layoutOf(repository);
    if (!(await state.exists(layout, repository))) throw nameUnknown(repository);
    return layout;
  }

  async function blobsOf(layout: Layout, repository: string): Promise<Digest[]> {
    await layout.explore(repository);
    const index = layout.repositories.get(repository)?.index;
    if (store.isShared) return [...(index?.blobs.keys() ?? [])];
    const found: Digest[] = [];
    const dir = join(layout.path, 'blobs');
    for (const algorithm of await entriesIn(dir)) {
      // Other tools may leave files of their own beside the directories.
      if (algorithm.isFile()) continue;
      for (const encoded of await entriesIn(join(dir, algorithm.name))) {
        const digest = `${algorithm.name}:${encoded.name}`;
        if (isDigest(digest) && (index?.manifests.has(digest) !== true || index.blobs.has(digest))) found.push(digest);
      }
    }
    return found;
  }

  function timesOf(layout: Layout, digest: Digest): ReturnType<LayoutState['timesOf']> | undefined {
    try {
      return state.timesOf(layout.blobPath(digest));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** What a directory has; nothing only if there is none. Whoever removes what nothing names must not take a part for all. */
async function entriesIn(dir: string): Promise<Dirent[]> {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw new RegistryError('UNAVAILABLE', `${dir} cannot be listed: ${String(cause)}`, { cause });
  }
}

/** Undefined if the upload has ended since its directory was listed. */
async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function verifyFile(
  path: string,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<'ok' | 'missing' | 'corrupt'> {
  const digester = new Digester(splitDigest(digest).algorithm);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024, signal })) {
      digester.update(piece as Uint8Array);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (isMissing(error)) return 'missing';
    throw error;
  }
  return digester.digest() === digest ? 'ok' : 'corrupt';
}

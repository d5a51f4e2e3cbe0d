// The maintenance interface of a layout registry: what garbage collection, checking and retention need.
import { randomBytes } from 'node:crypto';
import { renameSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { hasCode, isMissing } from '../../disk/index.ts';
import { assertRepository, blobDescriptor, Digester, parseDigest, splitDigest } from '../../../model/index.ts';
import type { Digest, ListOptions, Maintenance } from '../../../model/index.ts';

import { manifestUnknown, namesAfter, nameUnknown, page } from '../../repository/index.ts';
import type { RepositoryIndex } from '../../repository/index.ts';
import type { UploadSessions } from '../../uploads/index.ts';

import {
  isNoFile,
  noFollow,
  openRegular,
  readRegular,
  readRegularNow,
  sizeOfFile,
  statsOfFile,
  unreadable,
} from '../files/index.ts';
import type { Layout } from '../index/index.ts';

import { collectionBookmark } from './collection-bookmark.ts';
import { forgetIfEmpty, removeUnusedBlob, removeUnusedManifest } from './deleter.ts';
import { entriesIn, filesOf, Orphans } from './orphans.ts';
import { isInAnyRepository } from './state.ts';
import type { LayoutState } from './state.ts';

/** Bytes. Other tools may write larger manifests than a push may bring. */
const largestManifest = 64 * 1024 * 1024;
const smallManifest = 64 * 1024;

/**
 * The maintenance interface of a layout registry.
 *
 * @param readTimes is called before times of use are told: a process that never writes has to read them
 */
export function layoutMaintenance(
  state: LayoutState,
  uploads: () => Promise<UploadSessions>,
  readTimes: () => Promise<void>,
): Maintenance {
  const { store, leases } = state;
  const orphans = new Orphans();

  return {
    async *manifests(repository, options = {}) {
      const layout = await open(repository, options);
      await layout.explore(repository);
      const index = (): RepositoryIndex | undefined => layout.repositories.get(repository)?.index;
      for await (const digest of page(index()?.manifests.keys() ?? [], options)) {
        const entry = index()?.manifests.get(digest);
        if (entry === undefined) continue;
        const { descriptor, tags } = entry;
        const times = state.timesOf(layout.blobPath(digest));
        const stored = { descriptor: { ...descriptor }, tags: [...tags].toSorted(), size: descriptor.size, ...times };
        yield layout.repositories.get(repository)?.kept.names(digest) === true ? { ...stored, isPinned: true } : stored;
      }
    },
    async *blobs(repository, options = {}) {
      const layout = await open(repository, options);
      await layout.explore(repository);
      for await (const digest of page(blobsOf(layout, repository), options)) {
        const path = layout.blobPath(digest);
        // Nearly all blobs of a layout per repository have a file and no record: then one look is enough.
        const stats = store.isShared ? undefined : statsOfFile(path);
        const recorded = recordedSize(layout, repository, digest);
        const size = recorded ?? (store.isShared ? undefined : (sizeOfJournalled(layout, digest) ?? stats?.size));
        if (size === undefined) continue;
        yield { descriptor: blobDescriptor(digest, size), size, ...state.timesOf(path, stats) };
      }
    },
    async *uploads(repository, options = {}) {
      options.signal?.throwIfAborted();
      if (repository !== undefined) assertRepository(repository);
      const ids = await store.ids();
      const names: string[] = [];
      for await (const { name } of entriesIn(store.private.uploads)) names.push(name);
      // The directory also has uploads that are being written now.
      const sessions = store.isReadOnly ? undefined : await uploads();
      const isWanted = (id: string): boolean => repository === undefined || ids.check(repository, id) !== undefined;
      for await (const id of page(names.filter(isWanted), options)) {
        const stats = await statsOf(join(store.private.uploads, id));
        if (stats === undefined || stats.size === 0) continue;
        const { size, birthtime, mtime } = stats;
        const owner = repository ?? sessions?.repositoryOf(id);
        yield { id, repository: owner, size, createdAt: birthtime, usedAt: mtime };
      }
    },
    async *orphans({ signal } = {}) {
      signal?.throwIfAborted();
      // In a layout per repository, each file belongs to its repository.
      if (!store.isShared) return;
      await readTimes();
      const layout = await store.layoutOf('');
      for await (const digest of orphans.find(layout, signal)) {
        const path = layout.blobPath(digest);
        const size = sizeOfFile(path);
        if (size !== undefined && !state.claims.isBeingWritten(path)) yield { digest, size, ...state.timesOf(path) };
      }
    },
    bookmark: collectionBookmark(store),
    problems: () => store.problems(),
    async readManifest(repository, digest, options = {}) {
      const layout = await open(repository, options);
      parseDigest(digest);
      await layout.explore(repository);
      const isManifest = layout.repositories.get(repository)?.index.manifests.has(digest) === true;
      const size = isManifest ? sizeOfContent(layout, digest) : undefined;
      if (size === undefined || size > largestManifest) throw manifestUnknown(repository, digest);
      const journalled = state.journalledBytes(layout, digest);
      if (journalled !== undefined) return journalled;
      const path = layout.blobPath(digest);
      try {
        // A synchronous read of a small file is several times faster than one on a thread.
        if (size <= smallManifest) return new Uint8Array(readRegularNow(path, noFollow));
        return new Uint8Array(await readRegular(path, noFollow));
      } catch (error) {
        if (isMissing(error) || isNoFile(error)) throw manifestUnknown(repository, digest);
        throw error;
      }
    },
    async verify(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const layout = await store.layoutOf(repository);
      await layout.explore(repository);
      if (!has(layout, repository, digest)) return 'missing';
      // Reading from the journal compares the bytes with their digest.
      if (state.journalledBytes(layout, digest) !== undefined) return 'ok';
      return verifyFile(layout.blobPath(digest), digest, options.signal);
    },
    async removeUnused(repository, digest, { unusedSince }) {
      assertRepository(repository);
      parseDigest(digest);
      await store.own();
      const layout = await store.layoutOf(repository);
      await layout.explore(repository);
      if ((await state.mentions.in(layout)).has(digest)) return false;
      // From here until the content is marked as being removed, nothing waits.
      if (state.claims.isBeingRemoved(repository, digest) || leases.has(repository, digest)) return false;
      if (!isUnused(layout, digest, unusedSince)) return false;
      const { index, kept } = layout.repositories.get(repository) ?? {};
      const manifest = index?.manifests.get(digest);
      if (manifest !== undefined) {
        if (manifest.tags.size > 0 || kept?.names(digest) === true) return false;
        await removeUnusedManifest(state, layout, repository, digest);
        return true;
      }
      if (!has(layout, repository, digest)) return false;
      await removeUnusedBlob(state, layout, repository, digest);
      return true;
    },
    async removeOrphan(digest, { unusedSince }) {
      parseDigest(digest);
      if (!store.isShared) return false;
      await store.own();
      const layout = await store.layoutOf('');
      await layout.exploreAll();
      if (await orphans.isMentioned(layout, digest)) return false;
      // From here on nothing waits.
      const path = layout.blobPath(digest);
      if (isInAnyRepository(layout, digest) || sizeOfFile(path) === undefined) return false;
      if (!isUnused(layout, digest, unusedSince)) return false;
      store.assertOwned();
      await state.removeFile(layout, digest);
      await store.files.syncDirectoryOf(path);
      return true;
    },
    async quarantine(repository, digest) {
      assertRepository(repository);
      parseDigest(digest);
      await store.own();
      const layout = await store.layoutOf(repository);
      await layout.explore(repository);
      if (!has(layout, repository, digest)) return false;
      const path = layout.blobPath(digest);
      const before = fileNumber(path);
      if ((await verifyFile(path, digest, undefined)) !== 'corrupt') return false;
      const { files, private: own } = store;
      await files.makeDirectory(own.quarantine);
      // From here until the file is moved, nothing waits. A push of the right bytes creates another file.
      if (state.claims.isBeingWritten(path) || fileNumber(path) !== before) return false;
      store.assertOwned();
      renameSync(path, join(own.quarantine, `${digest.replace(':', '-')}.${randomBytes(8).toString('hex')}`));
      state.looks.forget(path);
      state.manifests.forget(path);
      await files.syncDirectory(own.quarantine);
      await files.syncDirectoryOf(path);
      await forgetIfEmpty(state, layout, repository);
      return true;
    },
    async lease(repository, digests) {
      assertRepository(repository);
      return leases.take(repository, digests);
    },
    async usage() {
      const sizes = new Map<Digest, number>();
      let [repositories, manifests, uploadCount, uploadSize] = [0, 0, 0, 0];
      for await (const name of namesAfter(() => store.names())) {
        const layout = await store.layoutOf(name);
        if (!(await state.exists(layout, name))) continue;
        repositories++;
        const index = layout.repositories.get(name)?.index;
        manifests += index?.manifests.size ?? 0;
        for (const [digest, { descriptor }] of index?.manifests ?? []) sizes.set(digest, descriptor.size);
        await layout.explore(name);
        for await (const digest of blobsOf(layout, name)) {
          const size = storedSize(layout, name, digest);
          if (size !== undefined) sizes.set(digest, size);
        }
      }
      for await (const { name: id } of entriesIn(store.private.uploads)) {
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
    await readTimes();
    const layout = await store.layoutOf(repository);
    if (!(await state.exists(layout, repository))) throw nameUnknown(repository);
    return layout;
  }

  async function* blobsOf(layout: Layout, repository: string): AsyncGenerator<Digest, void, undefined> {
    const index = (): RepositoryIndex | undefined => layout.repositories.get(repository)?.index;
    if (store.isShared) {
      yield* index()?.blobs.keys() ?? [];
      return;
    }
    // A manifest's file is a blob only if it was pushed as one.
    const isBlob = (digest: Digest): boolean =>
      index()?.manifests.has(digest) !== true || index()?.blobs.has(digest) === true;
    for (const digest of store.journalledDigests(layout)) {
      if (isBlob(digest) && sizeOfFile(layout.blobPath(digest)) === undefined) yield digest;
    }
    for await (const digest of filesOf(layout)) if (isBlob(digest)) yield digest;
  }

  /** Undefined if the repository does not have such a blob. A record is enough, even if the file is damaged. */
  function storedSize(layout: Layout, repository: string, digest: Digest): number | undefined {
    return recordedSize(layout, repository, digest) ?? (store.isShared ? undefined : sizeOfContent(layout, digest));
  }

  function recordedSize(layout: Layout, repository: string, digest: Digest): number | undefined {
    return layout.repositories.get(repository)?.index.blobs.get(digest)?.size;
  }

  function sizeOfContent(layout: Layout, digest: Digest): number | undefined {
    return sizeOfJournalled(layout, digest) ?? sizeOfFile(layout.blobPath(digest));
  }

  function sizeOfJournalled(layout: Layout, digest: Digest): number | undefined {
    return store.journalledContent(layout, digest)?.size;
  }

  function has(layout: Layout, repository: string, digest: Digest): boolean {
    const isManifest = layout.repositories.get(repository)?.index.manifests.has(digest) === true;
    return isManifest || storedSize(layout, repository, digest) !== undefined;
  }

  function isUnused(layout: Layout, digest: Digest, unusedSince: Date): boolean {
    const path = layout.blobPath(digest);
    return !state.claims.isBeingWritten(path) && state.timesOf(path).usedAt.getTime() < unusedSince.getTime();
  }
}

/** The inode number, which tells two files of the same name apart. */
function fileNumber(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Undefined if the upload has ended since its directory was listed, or if it is no regular file. */
async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats : undefined;
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
    const file = await openRegular(path, noFollow);
    for await (const piece of file.createReadStream({ highWaterMark: 256 * 1024, signal })) {
      digester.update(piece as Uint8Array);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (isMissing(error)) return 'missing';
    // Quarantine moves it away, so that a push can bring the content.
    if (isNoFile(error)) return 'corrupt';
    throw unreadable(path, error);
  }
  return digester.digest() === digest ? 'ok' : 'corrupt';
}

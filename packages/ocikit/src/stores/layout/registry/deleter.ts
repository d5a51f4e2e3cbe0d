// The deleting methods of a layout registry.
import { assertRepository, assertTag, parseDigest } from '../../../model/index.ts';
import type { CallContext, Deleter, Digest } from '../../../model/index.ts';

import { tagMoved } from '../../repository/index.ts';

import type { Layout } from '../index/index.ts';

import type { LayoutState } from './state.ts';
import { withTagMoves } from './record-tag-moves.ts';

/** The deleting methods of a layout registry. */
export function layoutDeleter(state: LayoutState): Deleter {
  const { store } = state;
  return {
    async deleteBlob(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      // First of all: becoming the writer opens all layouts again.
      await store.own();
      const layout = await store.layoutOf(repository);
      if ((await state.sizeOfBlob(layout, repository, digest)) === undefined) {
        throw await state.blobUnknown(layout, repository, digest);
      }
      await removeBlob(state, layout, repository, digest);
    },
    async deleteManifest(repository, digest, options) {
      options?.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      await store.own();
      const layout = await store.layoutOf(repository);
      const has = (): boolean => layout.repositories.get(repository)?.index.manifests.has(digest) === true;
      if (!has()) await layout.explore(repository);
      if (!has()) throw await state.manifestUnknown(layout, repository, digest);
      await removeManifest(state, layout, repository, digest, options?.context);
    },
    async deleteTag(repository, tag, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      assertTag(tag);
      await store.own();
      const layout = await store.layoutOf(repository);
      const digest = layout.queuedTag(repository, tag);
      if (digest === undefined) throw await state.manifestUnknown(layout, repository, tag);
      if (options.ifTag !== undefined && options.ifTag !== digest) throw tagMoved(tag, options.ifTag, digest);
      await store.commits.add(layout, withTagMoves(layout, [{ op: 'untag', repository, tag }], options.context));
    },
  };
}

/**
 * Removes a manifest: first the record, then the file. The other way round, a crash could leave a record that names a
 * missing file.
 */
export async function removeManifest(
  state: LayoutState,
  layout: Layout,
  repository: string,
  digest: Digest,
  context: CallContext | undefined,
): Promise<void> {
  const { store } = state;
  await store.commits.add(
    layout,
    withTagMoves(layout, [{ op: 'unmanifest', repository, digest, ...disowned(state) }], context),
  );
  store.assertOwned();
  await state.removeFile(layout, digest);
  await store.files.syncDirectoryOf(layout.blobPath(digest));
  await forgetIfEmpty(state, layout, repository);
}

/**
 * Removes an unused manifest, unless it is pushed again meanwhile. Other tools read the index, so the index is
 * written before the file goes, if it names the manifest: even after a crash it must not name a missing file.
 * Concurrent removals share one fold.
 */
export async function removeUnusedManifest(
  state: LayoutState,
  layout: Layout,
  repository: string,
  digest: Digest,
): Promise<void> {
  const { store } = state;
  await state.claims.whileRemoving(repository, digest, async () => {
    await store.commits.add(layout, withTagMoves(layout, [{ op: 'unmanifest', repository, digest }], undefined));
    await store.removeFromIndex(layout, repository, digest);
    store.assertOwned();
    if (state.claims.isBeingRemoved(repository, digest)) await state.removeFile(layout, digest);
  });
  await store.files.syncDirectoryOf(layout.blobPath(digest));
  await forgetIfEmpty(state, layout, repository);
}

/** A client may delete what a manifest names. Garbage collection does not, so it needs no mark in its records. */
function disowned({ store }: LayoutState): { disowned?: true } {
  return store.isShared ? { disowned: true } : {};
}

/** Removes a blob from a repository, and its file if no other repository has it. */
async function removeBlob(state: LayoutState, layout: Layout, repository: string, digest: Digest): Promise<void> {
  await unlinkBlob(state, layout, repository, digest, disowned(state));
  await state.removeFile(layout, digest);
  await state.store.files.syncDirectoryOf(layout.blobPath(digest));
  await forgetIfEmpty(state, layout, repository);
}

/** Removes an unused blob, unless it is pushed again meanwhile: in a layout per repository no record tells of that. */
export async function removeUnusedBlob(
  state: LayoutState,
  layout: Layout,
  repository: string,
  digest: Digest,
): Promise<void> {
  await state.claims.whileRemoving(repository, digest, async () => {
    await unlinkBlob(state, layout, repository, digest, {});
    if (state.claims.isBeingRemoved(repository, digest)) await state.removeFile(layout, digest);
  });
  await state.store.files.syncDirectoryOf(layout.blobPath(digest));
  await forgetIfEmpty(state, layout, repository);
}

async function unlinkBlob(
  { store }: LayoutState,
  layout: Layout,
  repository: string,
  digest: Digest,
  more: { disowned?: true },
): Promise<void> {
  if (store.isShared || layout.repositories.get(repository)?.index.blobs.has(digest) === true) {
    await store.commits.add(layout, [{ op: 'unblob', repository, digest, ...more }]);
  }
  store.assertOwned();
}

/** Forgets the repository's name if nothing is left in it. Call it after removing content. */
export async function forgetIfEmpty(state: LayoutState, layout: Layout, repository: string): Promise<void> {
  if (!(await state.exists(layout, repository))) state.store.noteRepository(repository, false);
}

// The writing methods of a layout registry: blobs, uploads, mounts and manifests.
import { copyFile, link, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { hasCode } from '../../disk/index.ts';
import {
  assertCondition,
  assertRepository,
  assertStrictMediaTypes,
  blobDescriptor,
  defaultAlgorithm,
  digestAlgorithm,
  hasUrls,
  parseDigest,
  readSource,
  splitDigest,
} from '../../../model/index.ts';
import type { Digest, MountSource, TagCondition, UploadIdIssuer, Writer } from '../../../model/index.ts';

import {
  assertLinkSize,
  bytesReport,
  checkPushedManifest,
  firstMissing,
  linkUnknown,
  reportBytes,
} from '../../repository/index.ts';
import type { PushedContent } from '../../repository/index.ts';
import { stageVerified } from '../../uploads/index.ts';
import type { UploadBackend, UploadSessions } from '../../uploads/index.ts';

import { sizeOfFile } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { JournalRecord } from '../journal/index.ts';
import type { SmallFile } from '../root/index.ts';
import { FileStage, inLargePieces, largePiece, restoreUpload } from '../uploads/index.ts';

import { isSmall, keepSmallBlob, SmallWrite, verifySmall } from './small-files.ts';
import type { LayoutState } from './state.ts';
import { withTagMoves } from './record-tag-moves.ts';

/** Links of a manifest above which they are looked up before they are named. */
const manyLinks = 256;

/** The writing methods of a layout registry. */
export function layoutWriter(state: LayoutState, uploads: () => Promise<UploadSessions>): Writer {
  const { store } = state;
  return {
    async pushBlob(repository, blob, source, options = {}) {
      const { signal, onEvent } = options;
      signal?.throwIfAborted();
      assertRepository(repository);
      const digest = parseDigest(blob.digest);
      await store.own();
      onEvent?.({ type: 'started', repository, digest, size: blob.size });
      if (isSmall(source) && onEvent === undefined) {
        verifySmall(blob, source);
        const kept = keepSmall(state, repository, digest, source);
        if (kept !== undefined) return kept.then(() => blobDescriptor(digest, source.length));
      }
      const stage = new FileStage(store.private.temporaryPath(), store.files);
      let size: number;
      try {
        const isOnePiece = (blob.size ?? Infinity) <= largePiece;
        const pieces = isOnePiece
          ? reportBytes(readSource(source, signal), repository, blob, onEvent)
          : inLargePieces(source, signal, bytesReport(repository, blob, onEvent));
        size = await stageVerified(stage, blob, pieces);
        onEvent?.({ type: 'verified', repository, digest, size });
        await keepBlob(state, repository, digest, size, stage);
      } catch (error) {
        await stage.discard();
        throw error;
      }
      onEvent?.({ type: 'done', repository, digest, size });
      return blobDescriptor(digest, size);
    },

    async startUpload(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      store.assertWritable();
      return (await uploads()).start(repository, digestAlgorithm(options.algorithm ?? defaultAlgorithm).name);
    },

    async resumeUpload(repository, id, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      store.assertWritable();
      return (await uploads()).resume(repository, id, options.offset);
    },

    async mountBlob(from, repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      if (typeof from === 'string') assertRepository(from);
      parseDigest(digest);
      const algorithm = digestAlgorithm(options.algorithm ?? splitDigest(digest).algorithm).name;
      await store.own();
      const size = await mount(state, from, repository, digest);
      if (size === undefined) return { upload: (await uploads()).start(repository, algorithm) };
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
      if (state.strictMediaTypes) assertStrictMediaTypes(pushed.document);
      const { descriptor, tags, links, referrer } = pushed;
      const { digest } = descriptor;
      const subject = links.subject?.digest;
      await store.own();
      const layout = await store.layoutOf(repository);
      // An early answer: naming them all takes time. It is judged again when nothing can be removed any more.
      if (!state.sparse && pushed.digests.length > manyLinks) await assertLinksExist(state, layout, repository, pushed);
      const releaseHold = state.holdForPush(layout, repository, [...pushed.digests, digest]);
      const stage = new FileStage(store.private.temporaryPath(), store.files);
      let small: SmallWrite | undefined;
      try {
        await layout.explore(repository);
        if (!state.sparse) await assertLinksExist(state, layout, repository, pushed);
        // An early check before anything is written; the check that counts comes later.
        assertTagsMaySet(layout, repository, tags, options.ifTag);

        await state.claims.whileWritingManifest(layout.blobPath(digest), async (isBlob) => {
          await layout.make();
          // Written even if the file exists, because it may be damaged.
          if (isSmall(pushed.bytes)) small = SmallWrite.begin(state, layout, digest, pushed.bytes);
          const file =
            small === undefined ? await writeManifest(state, layout, digest, pushed.bytes, stage) : undefined;
          state.used.touch(layout.blobPath(digest));
          assertTagsMaySet(layout, repository, tags, options.ifTag);
          const unowned = layout.unownedBy(repository, links);
          const records: JournalRecord[] = [{ op: 'manifest', repository, descriptor, subject, referrer, unowned }];
          for (const tag of tags) records.push({ op: 'tag', repository, tag, digest });
          // So far only the file's existence said that it is a blob; as a manifest's file it needs a record.
          if (isBlob && !store.isShared && !hasManifest(layout, repository, digest)) {
            records.push({ op: 'blob', repository, digest, size: descriptor.size });
          }
          const moves = withTagMoves(layout, records, options.context);
          await (small === undefined ? store.commits.add(layout, moves, file) : small.commit(moves));
          state.used.touch(layout.blobPath(digest), (small ?? stage).writtenAt);
          state.claims.cancelRemoval(repository, digest);
        });
      } finally {
        small?.discard();
        await stage.discard();
        releaseHold();
      }
      store.noteRepository(repository, true);
      options.onEvent?.({ type: 'done', repository, digest, size: descriptor.size });
      return { descriptor: { ...descriptor }, tags, ...(subject === undefined ? {} : { subject }) };
    },
  };
}

/** How uploads store their bytes and become blobs. */
export function layoutUploads(state: LayoutState, ids: UploadIdIssuer): UploadBackend<FileStage> {
  const { store } = state;
  const dir = store.private.uploads;
  const stageOf = (id: string, size?: number): FileStage => new FileStage(`${dir}/${id}`, store.files, size);
  return {
    ids,
    stage: (_repository, id) => stageOf(id),
    async restore(_repository, id) {
      const size = restoreUpload(join(dir, id));
      return size === undefined ? undefined : { stage: stageOf(id, size), size };
    },
    keepWhole: (repository, digest, bytes) =>
      isSmall(bytes) ? keepSmall(state, repository, digest, bytes) : undefined,
    async keep(repository, digest, size, stage, { signal }) {
      // An upload of zero bytes has no file yet.
      await keepBlob(state, repository, digest, size, stage, signal);
    },
  };
}

/** Stores the verified bytes of a small blob; undefined if it needs a stage. */
function keepSmall(
  state: LayoutState,
  repository: string,
  digest: Digest,
  bytes: Uint8Array,
): Promise<void> | undefined {
  return keepSmallBlob(state, repository, digest, bytes, {
    recordsOf: (layout) => blobRecords(state, layout, repository, digest, bytes.length),
    onStored: () => noteBlob(state, repository, digest),
  });
}

/** Turns a file of verified bytes into a blob of the repository, durably. */
async function keepBlob(
  state: LayoutState,
  repository: string,
  digest: Digest,
  size: number,
  stage: FileStage,
  signal?: AbortSignal,
): Promise<void> {
  const { store } = state;
  const layout = await store.layoutOf(repository);
  const path = layout.blobPath(digest);
  await state.claims.whileWriting(path, async () => {
    await layout.make();
    const small = await writeSmall(state, stage, path);
    if (small === undefined) await stage.finish();
    // If the client disconnected during the sync, keep the upload: the client will resume it.
    signal?.throwIfAborted();
    layout.assertInsideRoot(digest);
    store.assertOwned();
    if (small !== undefined) {
      const records = blobRecords(state, layout, repository, digest, size);
      await store.commits.add(layout, records, { digest, bytes: small, place: () => stage.moveNow(path, small) });
      state.used.touch(path, stage.writtenAt);
      state.looks.forget(path);
      state.blobs.noteWritten(path);
      noteBlob(state, repository, digest);
      return;
    }
    try {
      await stage.moveTo(path);
      state.looks.forget(path);
      state.blobs.noteWritten(path);
      await linkBlob(state, layout, repository, digest, size);
      state.used.touch(path, stage.writtenAt);
    } catch (error) {
      await stage.restore((to) => giveBack(state, layout, digest, to));
      throw error;
    }
  });
}

/**
 * Writes a small stage to its file without a sync, if the journal takes the bytes.
 *
 * @param path the file's final path
 * @returns the bytes; undefined if there are too many, or the journal takes no small files
 */
async function writeSmall({ store }: LayoutState, stage: FileStage, path: string): Promise<Uint8Array | undefined> {
  const bytes = store.commits.takesSmallFiles ? stage.smallBytes() : undefined;
  if (bytes === undefined) return undefined;
  await store.files.makeDirectory(dirname(path));
  await stage.release();
  return bytes;
}

/** Turns the file into an upload again after a failure, so that the client can retry. */
async function giveBack(state: LayoutState, layout: Layout, digest: Digest, to: string): Promise<void> {
  // In a shared layout a record makes it a blob. There is none yet, so no client has seen it.
  if (state.store.isShared && state.moveFile(layout, digest, to)) return;
  // Copied, not linked: more may be appended to the upload. If there is no room, the upload is lost.
  await copyFile(layout.blobPath(digest), to).catch(() => rm(to, { force: true }));
}

/** Records that the repository has a blob whose file exists. */
async function linkBlob(
  state: LayoutState,
  layout: Layout,
  repository: string,
  digest: Digest,
  size: number,
): Promise<void> {
  const records = blobRecords(state, layout, repository, digest, size);
  if (records.length > 0) await state.store.commits.add(layout, records);
  noteBlob(state, repository, digest);
}

function blobRecords(
  state: LayoutState,
  layout: Layout,
  repository: string,
  digest: Digest,
  size: number,
): JournalRecord[] {
  // In a layout per repository the file is enough, unless the file is a manifest as well.
  const isManifest =
    hasManifest(layout, repository, digest) || state.claims.isManifestBeingWritten(layout.blobPath(digest));
  return state.store.isShared || isManifest ? [{ op: 'blob', repository, digest, size }] : [];
}

function noteBlob(state: LayoutState, repository: string, digest: Digest): void {
  state.noteRepositoryWith(digest, repository);
  state.claims.cancelRemoval(repository, digest);
  state.store.noteRepository(repository, true);
}

async function mount(
  state: LayoutState,
  from: MountSource | undefined,
  repository: string,
  digest: Digest,
): Promise<number | undefined> {
  const { store } = state;
  const source = typeof from === 'string' ? from : await findAnywhere(state, digest, from);
  if (source === undefined) return undefined;
  const origin = await store.layoutOf(source);
  const layout = await store.layoutOf(repository);
  const path = layout.blobPath(digest);
  // Before the check, so that the file cannot be removed after it.
  return state.claims.whileWriting(path, async () => {
    state.used.touch(origin.blobPath(digest));
    const size = await state.sizeOfBlob(origin, source, digest);
    if (size === undefined) return undefined;
    await layout.make();
    layout.assertInsideRoot(digest);
    store.assertOwned();
    if (origin !== layout && !(await hardLink(state, origin.blobPath(digest), path))) return undefined;
    await linkBlob(state, layout, repository, digest, size);
    state.used.touch(path);
    return size;
  });
}

function hasManifest(layout: Layout, repository: string, digest: Digest): boolean {
  return layout.repositories.get(repository)?.index.manifests.has(digest) === true;
}

/** False if the file is gone, or the file system cannot link it. */
async function hardLink(state: LayoutState, from: string, to: string): Promise<boolean> {
  const { files } = state.store;
  await files.makeDirectory(dirname(to));
  // The journal only knows the file's other name.
  await state.store.commits.settleFile(from);
  try {
    await link(from, to);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP')) return false;
    if (!hasCode(error, 'EEXIST')) throw error;
    // A damaged file must be pushed again.
    if (sizeOfFile(to) !== sizeOfFile(from)) return false;
  }
  state.looks.forget(to);
  await files.syncDirectory(dirname(to));
  return true;
}

/** Finds a repository that has the blob and passes the test. */
async function findAnywhere(
  state: LayoutState,
  digest: Digest,
  isGood: (repository: string) => boolean | Promise<boolean> = () => true,
): Promise<string | undefined> {
  const { store } = state;
  if (store.isShared) {
    const { repositories } = await store.layoutOf('');
    for (const [name, { index }] of repositories) if (index.blobs.has(digest) && (await isGood(name))) return name;
    return undefined;
  }
  const home = state.repositoryWith(digest);
  return home !== undefined && (await isGood(home)) ? home : undefined;
}

/**
 * Writes a manifest to its file.
 *
 * @returns the small file to commit; undefined if the file has its name already, durably
 */
async function writeManifest(
  state: LayoutState,
  layout: Layout,
  digest: Digest,
  bytes: Uint8Array,
  stage: FileStage,
): Promise<SmallFile | undefined> {
  const path = layout.blobPath(digest);
  await stage.append(bytes);
  const small = await writeSmall(state, stage, path);
  if (small === undefined) await stage.finish();
  layout.assertInsideRoot(digest);
  state.store.assertOwned();
  if (small === undefined) {
    await stage.moveTo(path);
    state.looks.forget(path);
    state.manifests.forget(path);
    return undefined;
  }
  const place = (): void => {
    stage.moveNow(path, small);
    state.looks.forget(path);
    state.manifests.forget(path);
  };
  return { digest, bytes: small, place };
}

/** @throws RegistryError MANIFEST_BLOB_UNKNOWN or MANIFEST_INVALID, naming the first missing or different content */
async function assertLinksExist(
  state: LayoutState,
  layout: Layout,
  repository: string,
  { document, links }: PushedContent,
): Promise<void> {
  const sizes = new Map<Digest, number>();
  const sizeOfManifest = (digest: Digest): number | undefined =>
    layout.repositories.get(repository)?.index.manifests.get(digest)?.descriptor.size;
  const hasChild = (digest: Digest): boolean =>
    !state.claims.isBeingRemoved(repository, digest) && sizeOfManifest(digest) !== undefined;
  const missing = await firstMissing(links, {
    async hasBlob(digest) {
      let size = await state.sizeOfBlob(layout, repository, digest);
      // An index may give a manifest an unknown type, so that it counts as a blob.
      if (size === undefined && document.kind === 'index' && hasChild(digest)) size = sizeOfManifest(digest);
      if (size !== undefined) sizes.set(digest, size);
      return size !== undefined;
    },
    hasManifest: hasChild,
  });
  if (missing !== undefined) throw linkUnknown(repository, missing);
  for (const blob of links.blobs) {
    // Content with URLs may be missing, so it was not looked up.
    const size = hasUrls(blob) ? await state.sizeOfBlob(layout, repository, blob.digest) : sizes.get(blob.digest);
    assertLinkSize(repository, blob, size);
  }
  for (const child of links.manifests) assertLinkSize(repository, child, sizeOfManifest(child.digest));
}

function assertTagsMaySet(
  layout: Layout,
  repository: string,
  tags: readonly string[],
  ifTag: TagCondition | undefined,
): void {
  if (ifTag === undefined) return;
  for (const tag of tags) {
    assertCondition(tag, ifTag, layout.queuedTag(repository, tag));
  }
}

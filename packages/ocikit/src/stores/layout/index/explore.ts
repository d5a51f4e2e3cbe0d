// Reading the manifests that other tools wrote, to learn their subjects, children and blobs.
import { statSync } from 'node:fs';

import { isMissing } from '../../disk/index.ts';
import { linksOf, manifestMediaType, parseManifest, referrerDescriptor } from '../../../model/index.ts';
import type { Digest, ManifestDocument } from '../../../model/index.ts';

import { isNoFile, noFollow, readRegular, sizeOfFile, TimeSlice } from '../files/index.ts';
import type { Warn } from '../files/index.ts';

import type { LayoutRepository } from './layout-repository.ts';
import { isListed, joinUnowned, unownedOf } from './unowned.ts';

/** The place and the meaning of a repository's manifests. */
export interface ExploreOptions {
  /** The path of a manifest or blob. */
  readonly blobPath: (digest: Digest) => string;
  /**
   * True if one layout holds all repositories: a repository then has a blob only if one of its manifests names the
   * blob.
   */
  readonly isShared: boolean;
  /** Called for each unreadable manifest. */
  readonly warn: Warn;
}

/** Bytes. Other tools may write larger manifests than a push may bring. */
const largestManifest = 64 * 1024 * 1024;

/**
 * Reads the manifests that other tools wrote. Everything they name belongs to the repository too, unless the index or
 * the snapshot says that it does not: clients may name the content of other repositories.
 */
export async function explore(repository: LayoutRepository, options: ExploreOptions): Promise<void> {
  const { index, implicit, unparsed, opaque } = repository;
  const { blobPath, isShared, warn } = options;
  for (const digest of unparsed) {
    const mediaType = index.manifests.get(digest)?.descriptor.mediaType;
    const document = mediaType === undefined ? undefined : await readDocument(blobPath(digest), mediaType, warn);
    // The manifest stays on the list until now, so that a snapshot written meanwhile says it is unread. It may
    // have been deleted or pushed meanwhile.
    if (!unparsed.delete(digest)) continue;
    const entry = index.manifests.get(digest);
    if (entry === undefined) continue;
    if (document === undefined) {
      // An entry of its own stays as it is. A manifest that only an index names is not present, so it goes.
      if (implicit.delete(digest)) index.removeManifest(digest);
      else opaque.add(digest);
      continue;
    }
    const { descriptor, createdAt } = entry;
    const { blobs, manifests, subject } = linksOf(document);
    if (subject !== undefined) {
      const referrer = referrerDescriptor(document, descriptor);
      repository.putManifest(descriptor, createdAt, { subject: subject.digest, referrer });
    }
    if (isShared && isDoubtful(repository, digest, blobPath(digest))) noteDoubtful(repository, digest, document);
    const unowned = repository.unowned.get(digest);
    for (const { digest: child, mediaType: type, size } of manifests) {
      if (index.manifests.has(child) || isListed(unowned, child)) continue;
      repository.putManifest({ mediaType: manifestMediaType(type), digest: child, size }, createdAt);
      implicit.add(child);
      unparsed.add(child);
    }
    if (!isShared) continue;
    for (const { digest: blob } of blobs) {
      if (index.blobs.has(blob) || isListed(unowned, blob)) continue;
      const size = sizeOfFile(blobPath(blob));
      if (size !== undefined) index.blobs.set(blob, { size, createdAt: 0, usedAt: 0 });
    }
  }
}

/** True if an earlier version may have written the manifest's entry for a client, without saying what it proves. */
function isDoubtful({ doubt }: LayoutRepository, digest: Digest, path: string): boolean {
  if (doubt === undefined || doubt.unread.has(digest)) return false;
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= doubt.before;
}

function noteDoubtful(repository: LayoutRepository, digest: Digest, document: ManifestDocument): void {
  const named = namedBy(document).filter((one) => repository.doubt?.implicit.has(one) !== true);
  const unowned = unownedOf(repository.index, named);
  if (unowned !== undefined) repository.unowned.set(digest, unowned);
}

/**
 * Finds out what manifests name and the repository does not own, if no record says that: an earlier version wrote
 * them, or a client has deleted what they name.
 */
export async function audit(repository: LayoutRepository, { blobPath, warn }: ExploreOptions): Promise<void> {
  const { index, unaudited, disowned, unparsed, unowned } = repository;
  const slice = new TimeSlice();
  const deleted = new Set(disowned);
  for (const [digest, { descriptor }] of deleted.size > 0 ? index.manifests : []) {
    if (unparsed.has(digest) || unaudited.has(digest)) continue;
    await examine(digest, descriptor.mediaType, (one) => deleted.has(one));
  }
  for (const digest of deleted) disowned.delete(digest);
  for (const digest of unaudited) {
    const mediaType = index.manifests.get(digest)?.descriptor.mediaType;
    if (mediaType !== undefined) await examine(digest, mediaType, () => true);
    unaudited.delete(digest);
  }

  async function examine(digest: Digest, mediaType: string, isWanted: (digest: Digest) => boolean): Promise<void> {
    if (slice.isOver) await slice.giveWay();
    const document = await readDocument(blobPath(digest), mediaType, warn);
    const found = document === undefined ? undefined : unownedOf(index, namedBy(document).filter(isWanted));
    if (found !== undefined) unowned.set(digest, joinUnowned(unowned.get(digest), found));
  }
}

function namedBy(document: ManifestDocument): Digest[] {
  const { blobs, manifests } = linksOf(document);
  return [...blobs, ...manifests].map(({ digest }) => digest);
}

/** Undefined if the file is missing or is no manifest. */
async function readDocument(path: string, mediaType: string, warn: Warn): Promise<ManifestDocument | undefined> {
  try {
    const size = sizeOfFile(path, warn);
    if (size === undefined) throw new RangeError('the file is missing');
    if (size > largestManifest) throw new RangeError(`its size is ${size} bytes, more than ${largestManifest}`);
    return parseManifest(await readRegular(path, noFollow), mediaType);
  } catch (error) {
    if (hasSystemError(error)) throw error;
    warn('a manifest in an index cannot be read', { file: path, error });
    return undefined;
  }
}

/** True if reading failed, rather than the content being wrong. */
function hasSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !isMissing(error) && !isNoFile(error);
}

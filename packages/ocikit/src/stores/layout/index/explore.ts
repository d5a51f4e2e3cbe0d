// Reading the manifests that other tools wrote, to learn their subjects, children and blobs.
import { readFile } from 'node:fs/promises';

import { isMissing } from '../../disk/index.ts';
import { linksOf, parseManifest, referrerDescriptor } from '../../../model/index.ts';
import type { Digest, ManifestDocument } from '../../../model/index.ts';

import { noFollow, sizeOfFile } from '../files/index.ts';
import type { Warn } from '../files/index.ts';

import type { LayoutRepository } from './layout-repository.ts';

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

/** Reads the manifests that other tools wrote. Everything they name belongs to the repository too. */
export async function explore(repository: LayoutRepository, options: ExploreOptions): Promise<void> {
  const { index, implicit, unparsed } = repository;
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
      continue;
    }
    const { descriptor, createdAt } = entry;
    const { blobs, manifests, subject } = linksOf(document);
    if (subject !== undefined) {
      const referrer = referrerDescriptor(document, descriptor);
      repository.putManifest(descriptor, createdAt, { subject: subject.digest, referrer });
    }
    for (const child of manifests) {
      if (index.manifests.has(child.digest)) continue;
      repository.putManifest({ mediaType: child.mediaType, digest: child.digest, size: child.size }, createdAt);
      implicit.add(child.digest);
      unparsed.add(child.digest);
    }
    if (!isShared) continue;
    for (const { digest: blob } of blobs) {
      const size = sizeOfFile(blobPath(blob));
      if (size !== undefined && !index.blobs.has(blob)) index.blobs.set(blob, { size, createdAt: 0, usedAt: 0 });
    }
  }
}

/** Undefined if the file is missing or is no manifest. */
async function readDocument(path: string, mediaType: string, warn: Warn): Promise<ManifestDocument | undefined> {
  const size = sizeOfFile(path);
  try {
    if (size === undefined) throw new RangeError('the file is missing');
    if (size > largestManifest) throw new RangeError(`its size is ${size} bytes, more than ${largestManifest}`);
    return parseManifest(await readFile(path, { flag: noFollow }), mediaType);
  } catch (error) {
    if (hasSystemError(error)) throw error;
    warn('a manifest in an index cannot be read', { file: path, error });
    return undefined;
  }
}

/** True if reading failed, rather than the content being wrong. */
function hasSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !isMissing(error);
}

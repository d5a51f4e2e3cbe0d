import { readFile } from 'node:fs/promises';

import { linksOf, parseManifest, referrerDescriptor } from '../../../model/index.ts';
import type { Digest, ManifestDocument } from '../../../model/index.ts';

import { isMissing, noFollow, sizeOfFile } from '../files/index.ts';
import type { Warn } from '../files/index.ts';

import type { LayoutRepository } from './layout-repository.ts';

/** Where manifests are found, and how much what they name matters. */
export interface ExploreOptions {
  readonly blobPath: (digest: Digest) => string;
  /** True if one layout is all repositories': a blob is a repository's only if one of its manifests names it. */
  readonly isShared: boolean;
  readonly warn: Warn;
}

/** Other tools' manifests are not bounded by what a push may bring. */
const largestManifest = 64 * 1024 * 1024;

/** Looks into the manifests that other tools wrote: what they name belongs to the repository too. */
export async function explore(repository: LayoutRepository, options: ExploreOptions): Promise<void> {
  const { index, implicit, unparsed } = repository;
  const { blobPath, isShared, warn } = options;
  for (const digest of unparsed) {
    const mediaType = index.manifests.get(digest)?.descriptor.mediaType;
    const document = mediaType === undefined ? undefined : await readDocument(blobPath(digest), mediaType, warn);
    // It stays on the list until now: an index that is written meanwhile must not say that it was looked into. It
    // may have been deleted, or pushed here.
    if (!unparsed.delete(digest)) continue;
    const entry = index.manifests.get(digest);
    if (entry === undefined) continue;
    if (document === undefined) {
      // An entry of its own is left as it is; what only an index names is not here.
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

/** Undefined if it is not there, or is no manifest. */
async function readDocument(path: string, mediaType: string, warn: Warn): Promise<ManifestDocument | undefined> {
  const size = sizeOfFile(path);
  try {
    if (size === undefined || size > largestManifest) throw new RangeError(`its size is ${size}`);
    return parseManifest(await readFile(path, { flag: noFollow }), mediaType);
  } catch (error) {
    if (hasSystemError(error)) throw error;
    warn('a manifest of an index cannot be read', { file: path, error });
    return undefined;
  }
}

/** Not what the file holds is wrong, but reading it failed. */
function hasSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !isMissing(error);
}

// State that the parts of a layout registry share, and their checks of content.
import { renameSync, rmSync, statSync, unlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';

import { isMissing } from '../../disk/index.ts';
import { blobDescriptor, createContent, createPartsContent, digestOf, splitDigest } from '../../../model/index.ts';
import type {
  BlobContent,
  ContentSource,
  Descriptor,
  Digest,
  GetBlobOptions,
  RegistryError,
} from '../../../model/index.ts';

import { blobUnknown, Leases, manifestUnknown, nameUnknown, Recent } from '../../repository/index.ts';

import {
  hasBlobs,
  isNoFile,
  noFollow,
  partsReaderOf,
  readRegular,
  sizeOfFile,
  statsOf,
  statsOfFile,
  unreadable,
  Turns,
} from '../files/index.ts';
import type { Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { LayoutStore } from '../root/index.ts';

import { BlobReads } from './blob-reads.ts';
import type { FoundBlob } from './blob-reads.ts';
import { Claims } from './claims.ts';
import { Looks } from './looks.ts';
import { copyOf, ManifestCache } from './manifest-cache.ts';
import { Mentions } from './mentions.ts';
import { UsedTimes } from './used-times.ts';

const rememberedBlobs = 5000;
/** Bytes above which only a few manifests are read at a time: each is in memory until it is sent. */
const largeManifest = 256 * 1024;

/** A manifest of a repository, with the path of its file. */
export interface ManifestFile {
  /** The layout that has it. */
  layout: Layout;
  /** The path of the file. */
  path: string;
  /** The descriptor in the index. */
  descriptor: Descriptor;
}

/** Options of {@link LayoutState}. */
export interface LayoutStateOptions {
  /** True if manifests may name missing content. */
  sparse: boolean;
  /** True if manifests with a malformed media type are refused. */
  strictMediaTypes: boolean;
  /** True if content is hashed when it is read and not known to be intact. */
  verifyOnRead: boolean;
  /** Bytes of small blobs that stay in memory. */
  blobMemory: number;
}

/** State that the parts of a layout registry share. */
export class LayoutState {
  /** The root directory. */
  readonly store: LayoutStore;
  /** True if manifests may name missing content. */
  readonly sparse: boolean;
  /** True if types in manifests have to follow RFC 6838. */
  readonly strictMediaTypes: boolean;
  /** True if content is hashed when it is read. */
  readonly verifyOnRead: boolean;
  /** When content was last used. */
  readonly used: UsedTimes = new UsedTimes();
  /** Content that must not be removed as unused. */
  readonly leases: Leases = new Leases();
  /** Content that is being written or removed. */
  readonly claims: Claims;
  /** Content that entries of other tools mention. */
  readonly mentions: Mentions = new Mentions();
  /** Small manifests that were read recently. */
  readonly manifests: ManifestCache = new ManifestCache();
  /** Reads the files of blobs. */
  readonly blobs: BlobReads;
  /** The files of blobs that were looked at in this turn of the event loop. */
  readonly looks: Looks<FoundBlob> = new Looks();
  readonly #largeReads = new Turns(4);
  /** A repository for each recently used blob, for mounts without a source. */
  readonly #repositoriesWith = new Recent<Digest, string>(rememberedBlobs);

  constructor(store: LayoutStore, options: LayoutStateOptions) {
    this.store = store;
    this.claims = new Claims(store.files.throttle);
    this.sparse = options.sparse;
    this.strictMediaTypes = options.strictMediaTypes;
    this.verifyOnRead = options.verifyOnRead;
    this.blobs = new BlobReads({ verify: options.verifyOnRead, memory: options.blobMemory, warn: store.warn });
  }

  /**
   * Protects a manifest that is being pushed, and everything it names, from removal as unused. The content counts as
   * used now, and again when the returned function is called at the end of the push.
   *
   * @param digests the manifest's digest and the digests that it names
   */
  holdForPush(layout: Layout, repository: string, digests: readonly Digest[]): () => void {
    const touch = (): void => {
      for (const digest of digests) this.used.touch(layout.blobPath(digest));
    };
    const lease = this.leases.take(repository, digests);
    touch();
    return () => {
      touch();
      void lease[Symbol.asyncDispose]();
    };
  }

  /**
   * Removes a file that no repository of the layout has any more, and that no entry of another tool mentions. From the
   * check of the repositories up to the removal it is synchronous, so that no push comes in between.
   */
  async removeFile(layout: Layout, digest: Digest): Promise<void> {
    const path = layout.blobPath(digest);
    if (this.store.isShared && (await this.mentions.in(layout)).has(digest)) return;
    if (this.claims.isBeingWritten(path) || isInAnyRepository(layout, digest)) return;
    removeNow(path);
    this.looks.forget(path);
    this.used.forget(path);
    this.manifests.forget(path);
    await this.store.commits.noteRemoved(layout, digest);
  }

  /**
   * Moves a file away that was just written, unless a repository has it or another push is writing it. Entries of other
   * tools may need it too.
   *
   * @returns true if it is at `to` now
   */
  moveFile(layout: Layout, digest: Digest, to: string): boolean {
    const path = layout.blobPath(digest);
    if (this.claims.writersOf(path) > 1 || isInAnyRepository(layout, digest) || layout.hasUnread) return false;
    renameSync(path, to);
    this.looks.forget(path);
    this.used.forget(path);
    return true;
  }

  /** The size of a blob of the repository; undefined if the repository does not have the blob. */
  async sizeOfBlob(layout: Layout, repository: string, digest: Digest): Promise<number | undefined> {
    return (await this.findBlob(layout, repository, digest))?.size;
  }

  /** A blob of the repository; undefined if the repository does not have it, or its file is known to be damaged. */
  async findBlob(layout: Layout, repository: string, digest: Digest): Promise<FoundBlob | undefined> {
    if (this.claims.isBeingRemoved(repository, digest)) return undefined;
    if (!this.store.isShared) {
      await layout.explore(repository);
      if (this.claims.isBeingRemoved(repository, digest)) return undefined;
      if (layout.repositories.get(repository)?.index.manifests.has(digest) === true) {
        // A manifest's file is a blob only if it was pushed as one.
        if (layout.repositories.get(repository)?.index.blobs.has(digest) !== true) return undefined;
      }
      const found = this.#lookAt(layout, digest, this.store.warn);
      return this.#isDamaged(layout, digest, found) ? undefined : found;
    }
    const entry = (): { size: number } | undefined => layout.repositories.get(repository)?.index.blobs.get(digest);
    if (entry() === undefined) await layout.explore(repository);
    const known = entry();
    if (known === undefined || this.claims.isBeingRemoved(repository, digest)) return undefined;
    const found = this.#lookAt(layout, digest);
    if (found?.size === known.size) return this.#isDamaged(layout, digest, found) ? undefined : found;
    this.store.warn('a blob is missing or has the wrong size', {
      file: layout.blobPath(digest),
      size: found?.size,
      known: known.size,
    });
    return undefined;
  }

  #lookAt(layout: Layout, digest: Digest, warn?: Warn): FoundBlob | undefined {
    const journalled = this.store.journalledContent(layout, digest);
    if (journalled !== undefined) return { size: journalled.size, stats: undefined };
    const path = layout.blobPath(digest);
    const seen = this.looks.get(path);
    if (seen !== undefined) return seen;
    const stats = statsOfFile(path, warn);
    if (stats === undefined) return undefined;
    const found = { size: stats.size, stats };
    this.looks.note(path, found);
    return found;
  }

  /** A client that is told that a damaged blob is missing pushes it again. */
  #isDamaged(layout: Layout, digest: Digest, found: FoundBlob | undefined): boolean {
    return this.blobs.hasDamaged && this.blobs.isDamaged(layout.blobPath(digest), found?.stats);
  }

  /** The error for a repository that lacks the blob. */
  async blobUnknown(layout: Layout, repository: string, digest: Digest): Promise<RegistryError> {
    return (await this.exists(layout, repository)) ? blobUnknown(repository, digest) : nameUnknown(repository);
  }

  /** The error for a repository that lacks the manifest or tag. */
  async manifestUnknown(layout: Layout, repository: string, reference: string): Promise<RegistryError> {
    return (await this.exists(layout, repository)) ? manifestUnknown(repository, reference) : nameUnknown(repository);
  }

  /** True if the repository has any content. */
  async exists(layout: Layout, repository: string): Promise<boolean> {
    if (layout.repositories.has(repository)) return true;
    if (this.store.isShared) return false;
    return (await hasBlobs(layout.path)) || this.store.journalledDigests(layout).length > 0;
  }

  /** The content of a blob, from the journal or its file. */
  openBlob(layout: Layout, digest: Digest, found: FoundBlob, options: GetBlobOptions): BlobContent {
    const { range, ranges, signal } = options;
    const path = layout.blobPath(digest);
    const bytes = this.journalledBytes(layout, digest);
    if (bytes === undefined && ranges === undefined) return this.blobs.open(path, digest, found, options);
    const descriptor = blobDescriptor(digest, found.size);
    const source: ContentSource =
      bytes === undefined ? { open: (first) => partsReaderOf(path, first) } : { pieces: [bytes] };
    if (ranges !== undefined) return createPartsContent({ descriptor, ranges, signal, source });
    return createContent({ descriptor, range, signal, source });
  }

  /** The bytes that another process has pushed, if they may not be in their file yet. */
  journalledBytes(layout: Layout, digest: Digest): Uint8Array | undefined {
    const content = this.store.journalledContent(layout, digest);
    return content === undefined ? undefined : this.store.readJournalled(content);
  }

  /** True if the manifest's file exists and has the right size. */
  hasManifestFile({ layout, path, descriptor: { digest, size } }: ManifestFile): boolean {
    if (this.manifests.has(path)) return true;
    const found = this.store.journalledContent(layout, digest)?.size ?? sizeOfFile(path, this.store.warn);
    if (found !== undefined && found !== size) {
      this.store.warn('a manifest has the wrong size', { file: path, size: found, known: size });
    }
    return found === size;
  }

  /** A repository that had the blob when it was last seen. */
  repositoryWith(digest: Digest): string | undefined {
    return this.#repositoriesWith.get(digest);
  }

  /** Notes that a repository has the blob. */
  noteRepositoryWith(digest: Digest, repository: string): void {
    this.#repositoriesWith.set(digest, repository);
  }

  /** The bytes of a manifest, checked for their size. The caller may change them. */
  async readManifest(repository: string, { layout, path, descriptor }: ManifestFile): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#readFile(layout, path, descriptor);
    } catch (error) {
      if (!isMissing(error) && !isNoFile(error)) throw unreadable(path, error);
      this.store.warn(isMissing(error) ? 'a manifest is missing' : 'a manifest is no regular file', { file: path });
      throw manifestUnknown(repository, descriptor.digest);
    }
    if (bytes.length !== descriptor.size) {
      this.store.warn('a manifest has the wrong size', { file: path, size: bytes.length, known: descriptor.size });
      throw manifestUnknown(repository, descriptor.digest);
    }
    if (this.verifyOnRead && digestOf(bytes, splitDigest(descriptor.digest).algorithm) !== descriptor.digest) {
      this.store.warn('a manifest is damaged', { file: path });
      throw manifestUnknown(repository, descriptor.digest);
    }
    this.manifests.put(path, bytes);
    return this.manifests.has(path) ? copyOf(bytes) : bytes;
  }

  async #readFile(layout: Layout, path: string, { digest, size }: Descriptor): Promise<Uint8Array> {
    const journalled = this.journalledBytes(layout, digest);
    if (journalled !== undefined) return journalled;
    if (size <= largeManifest) return readRegular(path, noFollow);
    return this.#largeReads.take(() => readRegular(path, noFollow));
  }

  /**
   * The times when a file was written and its content was last used. For a missing file only the use can be known.
   *
   * @param stats its stats, if the caller has just looked at it
   */
  timesOf(path: string, stats: Stats | undefined = statsOf(path, statSync)): { createdAt: Date; usedAt: Date } {
    const { birthtimeMs, mtimeMs } = stats ?? { birthtimeMs: 0, mtimeMs: 0 };
    return { createdAt: new Date(birthtimeMs || mtimeMs), usedAt: new Date(this.used.of(path, mtimeMs)) };
  }
}

/** `rmSync` looks at the file first, which takes as long as the removal of a small one. */
function removeNow(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (isMissing(error)) return;
    rmSync(path, { force: true });
  }
}

/** True if any repository of the layout has the digest. */
export function isInAnyRepository({ repositories }: Layout, digest: Digest): boolean {
  for (const { index } of repositories.values()) {
    if (index.manifests.has(digest) || index.blobs.has(digest)) return true;
  }
  return false;
}

// State that the parts of a layout registry share, and their checks of content.
import { renameSync, rmSync, statSync } from 'node:fs';

import { isMissing } from '../../disk/index.ts';
import {
  blobDescriptor,
  createContent,
  createPartsContent,
  Digester,
  digestOf,
  splitDigest,
  wrongDigest,
} from '../../../model/index.ts';
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
  openRegular,
  partsReaderOf,
  readerOf,
  readRegular,
  sizeOfFile,
  statsOf,
} from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { LayoutStore } from '../root/index.ts';

import { Claims } from './claims.ts';
import { copyOf, ManifestCache } from './manifest-cache.ts';
import { Mentions } from './mentions.ts';
import { UsedTimes } from './used-times.ts';

const rememberedBlobs = 5000;

/** A manifest of a repository, with the path of its file. */
export interface ManifestFile {
  /** The layout that has it. */
  layout: Layout;
  /** The path of the file. */
  path: string;
  /** The descriptor in the index. */
  descriptor: Descriptor;
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
  /** Files in which a read found other bytes, with the numbers that tell whether they were replaced since. */
  readonly #damaged = new Recent<string, string>(1000);
  #hasDamaged = false;
  /** A repository for each recently used blob, for mounts without a source. */
  readonly #repositoriesWith = new Recent<Digest, string>(rememberedBlobs);

  constructor(store: LayoutStore, options: { sparse: boolean; strictMediaTypes: boolean; verifyOnRead: boolean }) {
    this.store = store;
    this.claims = new Claims(store.files.throttle);
    this.sparse = options.sparse;
    this.strictMediaTypes = options.strictMediaTypes;
    this.verifyOnRead = options.verifyOnRead;
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
    rmSync(path, { force: true });
    this.used.forget(path);
    this.manifests.forget(path);
    await this.store.noteRemoved(layout, digest);
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
    this.used.forget(path);
    return true;
  }

  /** The size of a blob of the repository; undefined if the repository does not have the blob. */
  async sizeOfBlob(layout: Layout, repository: string, digest: Digest): Promise<number | undefined> {
    if (this.claims.isBeingRemoved(repository, digest)) return undefined;
    // A client that is told so pushes the blob again.
    if (this.#hasDamaged && this.#isDamaged(layout.blobPath(digest))) return undefined;
    if (!this.store.isShared) {
      await layout.explore(repository);
      if (this.claims.isBeingRemoved(repository, digest)) return undefined;
      if (layout.repositories.get(repository)?.index.manifests.has(digest) === true) {
        // A manifest's file is a blob only if it was pushed as one.
        if (layout.repositories.get(repository)?.index.blobs.has(digest) !== true) return undefined;
      }
      const journalled = this.store.journalledContent(layout, digest)?.size;
      return journalled ?? sizeOfFile(layout.blobPath(digest), this.store.warn);
    }
    const entry = (): { size: number } | undefined => layout.repositories.get(repository)?.index.blobs.get(digest);
    if (entry() === undefined) await layout.explore(repository);
    const known = entry();
    if (known === undefined || this.claims.isBeingRemoved(repository, digest)) return undefined;
    const size = this.store.journalledContent(layout, digest)?.size ?? sizeOfFile(layout.blobPath(digest));
    if (size === known.size) return size;
    this.store.warn('a blob is missing or has the wrong size', {
      file: layout.blobPath(digest),
      size,
      known: known.size,
    });
    return undefined;
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
  async openBlob(layout: Layout, digest: Digest, size: number, options: GetBlobOptions): Promise<BlobContent> {
    const path = layout.blobPath(digest);
    const { range, ranges, signal } = options;
    const descriptor = blobDescriptor(digest, size);
    const isWhole = range === undefined;
    const bytes = this.journalledBytes(layout, digest);
    if (ranges !== undefined) {
      const source: ContentSource =
        bytes === undefined ? { open: (first) => partsReaderOf(path, first) } : { pieces: [bytes] };
      return createPartsContent({ descriptor, ranges, signal, source });
    }
    if (bytes !== undefined) return createContent({ descriptor, range, signal, source: { pieces: [bytes] } });
    if (this.verifyOnRead && isWhole) {
      const onDamage = (): void => this.#noteDamaged(path);
      return createContent({ descriptor, signal, source: { iterate: () => verified(path, digest, onDamage) } });
    }
    return createContent({ descriptor, range, signal, source: { open: (part) => readerOf(path, part) } });
  }

  #noteDamaged(path: string): void {
    this.store.warn('a blob is damaged: it counts as missing until it is pushed again', { file: path });
    this.#damaged.set(path, versionOf(path));
    this.#hasDamaged = true;
  }

  #isDamaged(path: string): boolean {
    const version = this.#damaged.get(path);
    return version !== undefined && version === versionOf(path);
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
      bytes = await this.#readFile(layout, path, descriptor.digest);
    } catch (error) {
      if (!isMissing(error) && !isNoFile(error)) throw error;
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
    return copyOf(bytes);
  }

  async #readFile(layout: Layout, path: string, digest: Digest): Promise<Uint8Array> {
    return this.journalledBytes(layout, digest) ?? readRegular(path, noFollow);
  }

  /**
   * The times when a file was written and its content was last used. For a missing file only the use can be known.
   */
  timesOf(path: string): { createdAt: Date; usedAt: Date } {
    const { birthtimeMs, mtimeMs } = statsOf(path, statSync) ?? { birthtimeMs: 0, mtimeMs: 0 };
    return { createdAt: new Date(birthtimeMs || mtimeMs), usedAt: new Date(this.used.of(path, mtimeMs)) };
  }
}

/** True if any repository of the layout has the digest. */
export function isInAnyRepository({ repositories }: Layout, digest: Digest): boolean {
  for (const { index } of repositories.values()) {
    if (index.manifests.has(digest) || index.blobs.has(digest)) return true;
  }
  return false;
}

/** A text that changes when the file is replaced or written to. */
function versionOf(path: string): string {
  const { ino, size, mtimeNs } = statSync(path, { bigint: true, throwIfNoEntry: false }) ?? {};
  return `${ino} ${size} ${mtimeNs}`;
}

async function* verified(
  path: string,
  digest: Digest,
  onDamage: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digester = new Digester(splitDigest(digest).algorithm);
  let last: Uint8Array | undefined;
  const file = await openRegular(path, noFollow);
  for await (const piece of file.createReadStream({ highWaterMark: 256 * 1024 })) {
    const bytes = piece as Uint8Array;
    digester.update(bytes);
    if (last !== undefined) yield last;
    last = bytes;
  }
  // Before the last piece: an HTTP client that has received every byte would not notice an error.
  if (digester.digest() !== digest) {
    onDamage();
    throw wrongDigest(digest, digester.digest());
  }
  if (last !== undefined) yield last;
}

import { createReadStream, renameSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { createContent, Digester, digestOf, splitDigest, wrongDigest } from '../../../model/index.ts';
import type { BlobContent, Descriptor, Digest, GetBlobOptions, RegistryError } from '../../../model/index.ts';

import { blobUnknown, Leases, manifestUnknown, nameUnknown, Recent } from '../../repository/index.ts';

import { blobDescriptor, hasBlobs, isMissing, noFollow, readerOf, sizeOfFile } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { LayoutStore } from '../root/index.ts';

import { UsedTimes } from './used-times.ts';

const cachedBytes = 8 * 1024 * 1024;
const rememberedBlobs = 5000;
const largestCached = 64 * 1024;

/** A manifest of a repository, and its file. */
export interface ManifestFile {
  layout: Layout;
  path: string;
  descriptor: Descriptor;
}

/** What the parts of a layout registry have in common. */
export class LayoutState {
  readonly store: LayoutStore;
  readonly sparse: boolean;
  readonly verifyOnRead: boolean;
  readonly used: UsedTimes = new UsedTimes();
  readonly leases: Leases = new Leases();
  /** Files that somebody is writing, or has written and not acknowledged: nobody may remove them. */
  readonly #writing = new Map<string, number>();
  /** Small manifests that were read lately, by path. */
  readonly #manifests = new Map<string, Uint8Array>();
  #manifestBytes = 0;
  /** For mounts that do not say from where: blobs that were used lately, and where. */
  readonly #repositoriesWith = new Recent<Digest, string>(rememberedBlobs);

  constructor(store: LayoutStore, options: { sparse: boolean; verifyOnRead: boolean }) {
    this.store = store;
    this.sparse = options.sparse;
    this.verifyOnRead = options.verifyOnRead;
  }

  /** Manifests and blobs of repositories that are being removed because nobody uses them. */
  readonly #removing = new Set<string>();

  /** While it runs, the file is not removed. */
  async whileWriting<T>(path: string, write: () => Promise<T>): Promise<T> {
    this.store.files.throttle.notePush();
    this.#writing.set(path, (this.#writing.get(path) ?? 0) + 1);
    try {
      return await write();
    } finally {
      const left = (this.#writing.get(path) ?? 1) - 1;
      if (left === 0) this.#writing.delete(path);
      else this.#writing.set(path, left);
    }
  }

  /**
   * @param write is told whether the file was there before, or somebody is writing it, and not because of the same manifest.
   *   A blob that waits for the journal has no file yet, and its record was made when nobody knew of the manifest.
   */
  whileWritingManifest<T>(path: string, write: (isBlob: boolean) => Promise<T>): Promise<T> {
    const isBlob = !this.isManifestBeingWritten(path) && (this.#writing.has(path) || sizeOfFile(path) !== undefined);
    return this.whileWriting(path, () => this.whileWriting(`${path} as a manifest`, () => write(isBlob)));
  }

  isManifestBeingWritten(path: string): boolean {
    return this.#writing.has(`${path} as a manifest`);
  }

  /** While it runs, the repository does not have it for anybody who asks. */
  async whileRemoving(repository: string, digest: Digest, remove: () => Promise<void>): Promise<void> {
    const key = `${repository}@${digest}`;
    this.#removing.add(key);
    try {
      await remove();
    } finally {
      this.#removing.delete(key);
    }
  }

  /** Somebody has pushed it again: the repository has it, whoever is removing it. */
  cancelRemoval(repository: string, digest: Digest): void {
    this.#removing.delete(`${repository}@${digest}`);
  }

  isBeingRemoved(repository: string, digest: Digest): boolean {
    return this.#removing.has(`${repository}@${digest}`);
  }

  isBeingWritten(path: string): boolean {
    return this.#writing.has(path);
  }

  /**
   * A manifest is being pushed, which is among these digests, and the others are what it names: until it is there, nobody
   * removes any of them for want of use. They count as used now and, by calling what is returned, when it is done.
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

  /** Removes a file that no repository of the layout has any more. In one step, so that nobody can come between. */
  async removeFile(layout: Layout, digest: Digest): Promise<void> {
    const path = layout.blobPath(digest);
    if (this.#writing.has(path) || isInAnyRepository(layout, digest)) return;
    rmSync(path, { force: true });
    this.used.forget(path);
    this.forgetManifest(path);
    await this.store.noteRemoved(layout, digest);
  }

  /**
   * Takes away a file again that was just written, unless somebody has it or is writing the same.
   *
   * @returns whether it is at `to` now
   */
  moveFile(layout: Layout, digest: Digest, to: string): boolean {
    const path = layout.blobPath(digest);
    if ((this.#writing.get(path) ?? 0) > 1 || isInAnyRepository(layout, digest)) return false;
    renameSync(path, to);
    this.used.forget(path);
    return true;
  }

  /** The size of a blob of the repository; undefined if it has none such. */
  async sizeOfBlob(layout: Layout, repository: string, digest: Digest): Promise<number | undefined> {
    if (this.isBeingRemoved(repository, digest)) return undefined;
    if (!this.store.isShared) {
      await layout.explore(repository);
      if (this.isBeingRemoved(repository, digest)) return undefined;
      if (layout.repositories.get(repository)?.index.manifests.has(digest) === true) {
        // A manifest's file is a blob only if it was pushed as one.
        if (layout.repositories.get(repository)?.index.blobs.has(digest) !== true) return undefined;
      }
      return this.store.journalledContent(layout, digest)?.size ?? sizeOfFile(layout.blobPath(digest));
    }
    const entry = (): { size: number } | undefined => layout.repositories.get(repository)?.index.blobs.get(digest);
    if (entry() === undefined) await layout.explore(repository);
    const known = entry();
    if (known === undefined || this.isBeingRemoved(repository, digest)) return undefined;
    const size = this.store.journalledContent(layout, digest)?.size ?? sizeOfFile(layout.blobPath(digest));
    if (size === known.size) return size;
    this.store.warn('a blob is missing or has the wrong size', {
      file: layout.blobPath(digest),
      size,
      known: known.size,
    });
    return undefined;
  }

  /** What a repository that lacks the blob is to be answered with. */
  async blobUnknown(layout: Layout, repository: string, digest: Digest): Promise<RegistryError> {
    return (await this.exists(layout, repository)) ? blobUnknown(repository, digest) : nameUnknown(repository);
  }

  async manifestUnknown(layout: Layout, repository: string, reference: string): Promise<RegistryError> {
    return (await this.exists(layout, repository)) ? manifestUnknown(repository, reference) : nameUnknown(repository);
  }

  async exists(layout: Layout, repository: string): Promise<boolean> {
    if (layout.repositories.has(repository)) return true;
    if (this.store.isShared) return false;
    return (await hasBlobs(layout.path)) || this.store.journalledDigests(layout).length > 0;
  }

  async openBlob(layout: Layout, digest: Digest, size: number, options: GetBlobOptions): Promise<BlobContent> {
    const path = layout.blobPath(digest);
    const { range, signal } = options;
    const descriptor = blobDescriptor(digest, size);
    const isWhole = range === undefined;
    const bytes = this.journalledBytes(layout, digest);
    if (bytes !== undefined) return createContent({ descriptor, range, signal, source: { pieces: [bytes] } });
    if (this.verifyOnRead && isWhole) {
      return createContent({ descriptor, signal, source: { iterate: () => verified(path, digest) } });
    }
    return createContent({ descriptor, range, signal, source: { open: (part) => readerOf(path, part) } });
  }

  /** What another process has pushed, if it may not be in its file yet. */
  journalledBytes(layout: Layout, digest: Digest): Uint8Array | undefined {
    const content = this.store.journalledContent(layout, digest);
    return content === undefined ? undefined : this.store.readJournalled(content);
  }

  /** True if the manifest's file is there and as large as it ought to be. */
  hasManifestFile({ layout, path, descriptor: { digest, size } }: ManifestFile): boolean {
    if (this.#manifests.has(path)) return true;
    const found = this.store.journalledContent(layout, digest)?.size ?? sizeOfFile(path);
    if (found !== undefined && found !== size) {
      this.store.warn('a manifest has the wrong size', { file: path, size: found, known: size });
    }
    return found === size;
  }

  /** A repository that was seen to have the blob, and has it still as far as is known. */
  repositoryWith(digest: Digest): string | undefined {
    return this.#repositoriesWith.get(digest);
  }

  noteRepositoryWith(digest: Digest, repository: string): void {
    this.#repositoriesWith.set(digest, repository);
  }

  /** The bytes of a manifest that was read lately. They are the caller's own. */
  cachedManifest(path: string): Uint8Array | undefined {
    const bytes = this.#manifests.get(path);
    return bytes === undefined ? undefined : copyOf(bytes);
  }

  /** The bytes of a manifest, which are as large as its descriptor says. They are the caller's own. */
  async readManifest(repository: string, { layout, path, descriptor }: ManifestFile): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#readFile(layout, path, descriptor.digest);
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.store.warn('a manifest is missing', { file: path });
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
    this.#cacheManifest(path, bytes);
    return copyOf(bytes);
  }

  async #readFile(layout: Layout, path: string, digest: Digest): Promise<Uint8Array> {
    return this.journalledBytes(layout, digest) ?? readFile(path, { flag: noFollow });
  }

  #cacheManifest(path: string, bytes: Uint8Array): void {
    if (bytes.length > largestCached || this.#manifests.has(path)) return;
    this.#manifests.set(path, bytes);
    this.#manifestBytes += bytes.length + path.length;
    for (const oldest of this.#manifests.keys()) {
      if (this.#manifestBytes <= cachedBytes) return;
      this.forgetManifest(oldest);
    }
  }

  /** Its bytes may be others now. */
  forgetManifest(path: string): void {
    const bytes = this.#manifests.get(path);
    if (bytes === undefined) return;
    this.#manifests.delete(path);
    this.#manifestBytes -= bytes.length + path.length;
  }

  /** When a file was written, and when its content was used last. Of one that is gone only the use is known, if that. */
  timesOf(path: string): { createdAt: Date; usedAt: Date } {
    const { birthtimeMs, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { birthtimeMs: 0, mtimeMs: 0 };
    return { createdAt: new Date(birthtimeMs || mtimeMs), usedAt: new Date(this.used.of(path, mtimeMs)) };
  }
}

/** Whether any repository of the layout has it. */
export function isInAnyRepository({ repositories }: Layout, digest: Digest): boolean {
  for (const { index } of repositories.values()) {
    if (index.manifests.has(digest) || index.blobs.has(digest)) return true;
  }
  return false;
}

/** Many small ones share one piece of memory, which is much cheaper than one for each. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.length);
}

async function* verified(path: string, digest: Digest): AsyncGenerator<Uint8Array, void, undefined> {
  const digester = new Digester(splitDigest(digest).algorithm);
  let last: Uint8Array | undefined;
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const bytes = piece as Uint8Array;
    digester.update(bytes);
    if (last !== undefined) yield last;
    last = bytes;
  }
  // Before the last piece: who has been given all of it over HTTP would not be told.
  if (digester.digest() !== digest) throw wrongDigest(digest, digester.digest());
  if (last !== undefined) yield last;
}

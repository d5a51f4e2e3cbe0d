// One image layout: its index and snapshot on disk, its content in memory, and bringing the two together.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistryError, splitDigest } from '../../../model/index.ts';
import type { Digest, ManifestLinks } from '../../../model/index.ts';

import type { SortedNames } from '../../repository/index.ts';

import { assertInside, CheckedThisTurn, isTemporaryName } from '../files/index.ts';
import type { JournalRecord } from '../journal/index.ts';

import { applyRecord, recordsOf } from './apply-record.ts';
import { LayoutChanges } from './changes.ts';
import { audit, explore } from './explore.ts';
import type { ExploreOptions } from './explore.ts';
import { FoldMemory } from './fold-memory.ts';
import { IndexOnDisk } from './index-on-disk.ts';
import { LayoutContent } from './layout-content.ts';
import { knowledgeOf, LayoutOnDisk } from './layout-on-disk.ts';
import type { LayoutSettings, OpenedLayout } from './layout-on-disk.ts';
import type { LayoutRepository } from './layout-repository.ts';
import { makeMarker } from './marker.ts';
import { QueuedTags } from './queued-tags.ts';
import { readSnapshot } from './snapshot.ts';
import { unownedOf } from './unowned.ts';
import type { Unowned } from './unowned.ts';

/** The index may be edited this many times while it is being written. */
const attempts = 10;

/** One OCI image layout: a directory with `oci-layout`, `index.json` and `blobs`. */
export class Layout {
  /** The directory below the root; empty if it is the root itself. */
  readonly directory: string;
  /** The full path of the directory. */
  readonly path: string;
  /** The interval in which the disk was looked at last; the process that writes counts them. */
  lookedAt = -1;
  readonly #settings: LayoutSettings;
  readonly #index: IndexOnDisk;
  readonly #onDisk: LayoutOnDisk;
  readonly #blobs: string;
  #content: LayoutContent;
  /** Changes since the index was written last. */
  #changes = new LayoutChanges();
  /** The changes in the last written index, while a tool may still write to the file that it replaced. */
  #written = new LayoutChanges();
  /** The changes in the index that is being written now. */
  #writing: LayoutChanges | undefined;
  readonly #folds: FoldMemory;
  #merging: Promise<void> = Promise.resolve();
  #making: Promise<void> | undefined;
  #isMade = false;
  #isTidy = false;
  readonly #queued = new QueuedTags();
  /** Algorithms whose directories were checked for symbolic links. */
  readonly #checked = new CheckedThisTurn();

  constructor(settings: LayoutSettings) {
    this.#settings = settings;
    this.directory = settings.directory;
    this.path = join(settings.root, settings.directory);
    this.#index = new IndexOnDisk(join(this.path, 'index.json'), settings.files);
    this.#folds = new FoldMemory(settings);
    this.#onDisk = new LayoutOnDisk(settings, this.#index.path);
    this.#blobs = join(this.path, 'blobs/');
    this.#content = new LayoutContent(settings.names, undefined);
  }

  /** The repositories that are not empty, by name. */
  get repositories(): ReadonlyMap<string, LayoutRepository> {
    return this.#content.repositories;
  }

  /** The names of these repositories, in byte order. */
  get names(): SortedNames {
    return this.#content.names;
  }

  /** A new object each time the index is read again. */
  get contentVersion(): object {
    return this.#content;
  }

  /** The texts of the index's entries that belong to no repository here. */
  get unassignedEntries(): readonly string[] {
    return this.#content.unassigned;
  }

  /** The manifests of entries that have the same tag as a later entry, in their order. */
  shadowedBy(repository: string, tag: string): Digest[] {
    return this.repositories.get(repository)?.kept.shadowedBy(tag) ?? [];
  }

  /** True if entries of other tools may need files that no repository has. */
  get hasUnread(): boolean {
    if (this.#content.unassigned.length > 0) return true;
    for (const { unparsed, opaque } of this.repositories.values()) if (unparsed.size + opaque.size > 0) return true;
    return false;
  }

  /** The hash of `index.json` as it was read or written last; empty if there is none. */
  get sha256(): string {
    return this.#index.sha256;
  }

  /** Entries in the index when it was read or written last. */
  get size(): number {
    return this.#index.size;
  }

  /** The path of `index.json`, which need not exist. */
  get indexPath(): string {
    return this.#index.path;
  }

  /** True if {@link mergeReplaced} may have something to do. */
  get isWatching(): boolean {
    return this.#index.isWatching;
  }

  /** True if there are changes that are not in the index, or the index is just being written. */
  get isDirty(): boolean {
    return !this.#changes.isEmpty || this.#writing !== undefined;
  }

  /** True if another tool has written to the index since it was read or written last. */
  get looksEdited(): boolean {
    return this.#index.looksEdited;
  }

  /**
   * Checks the directories of a digest, before a file gets the name of a blob.
   *
   * @throws RegistryError UNAVAILABLE if a symbolic link leads out of the root
   */
  assertInsideRoot(digest: Digest): void {
    const { algorithm } = splitDigest(digest);
    if (this.#checked.has(algorithm)) return;
    assertInside(this.#settings.root, [...this.directory.split('/').filter(Boolean), 'blobs', algorithm]);
    this.#checked.note(algorithm);
  }

  /** The path of a blob or manifest. Each request needs it, so it is built in the cheapest way. */
  blobPath(digest: Digest): string {
    return this.#blobs + digest.replace(':', '/');
  }

  /** Reads the index and the snapshot. The layout does not change until {@link show}. */
  read(): Promise<OpenedLayout> {
    return this.#onDisk.open((digest) => this.blobPath(digest));
  }

  /** Makes a state that was read visible, with these records applied. */
  show({ file, content, isAudited, missing, recent }: OpenedLayout, records: Iterable<JournalRecord>): void {
    this.#index.take(file);
    this.#content = content;
    this.#changes = new LayoutChanges();
    this.#folds.restore(recent);
    for (const record of missing) this.apply(record);
    if (missing.length > 0) this.#warnOfEdit();
    for (const record of records) {
      this.apply(record);
      if (isAudited || record.op !== 'manifest' || record.unowned !== undefined) continue;
      content.repositories.get(record.repository)?.unaudited.add(record.descriptor.digest);
    }
  }

  /** True if the index on disk may name the manifest. False if it was pushed since the index was written. */
  async mayIndexName(repository: string, digest: Digest): Promise<boolean> {
    return !this.#changes.isUnwritten(repository, digest) || (await this.#index.isEdited());
  }

  /** Makes a record visible. */
  apply(record: JournalRecord): void {
    applyRecord(this.#content, this.#changes, record);
  }

  /** Makes the directory a layout, if it is not one yet. */
  make(): Promise<void> {
    // One call at a time: an empty index must not replace one that was written meanwhile.
    this.#making ??= this.#make().catch((error: unknown) => {
      this.#making = undefined;
      throw error;
    });
    return this.#making;
  }

  /** True once {@link make} has ended: it need not be called. */
  get isMade(): boolean {
    return this.#isMade;
  }

  async #make(): Promise<void> {
    const { files } = this.#settings;
    await files.makeDirectory(join(this.path, 'blobs'));
    await this.#tidy();
    await makeMarker(this.path, files);
    await this.#index.make();
    this.#isMade = true;
  }

  /** Removes temporary files that a crash left. Only this process writes here, and no write is running. */
  async #tidy(): Promise<void> {
    if (this.#isTidy) return;
    for (const name of await readdir(this.path)) {
      if (isTemporaryName(name)) await rm(join(this.path, name), { force: true });
    }
    this.#isTidy = true;
  }

  /**
   * Writes the index. If another tool edits it before or meanwhile, the new index has both changes.
   *
   * @param beforeRename called with the sha256 of the new index when its content is durable
   */
  async fold(beforeRename: (sha256: string) => Promise<void>): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      await this.#mergeIfEdited();
      await this.make();
      await this.#audit();
      if (await this.#write(beforeRename)) return;
    }
    throw new RegistryError('UNAVAILABLE', `${this.#index.path} cannot be written: other tools keep editing it`);
  }

  /** Makes what other tools have written visible. It may have to be written together with own changes. */
  mergeEdits(): Promise<void> {
    return this.#oneAtATime(async () => {
      if (this.#index.isReplacedEdited) await this.#mergeReplaced();
      await this.#mergeEdited();
    });
  }

  /** Notes in the snapshot that an edit was merged, unless a fold will do it. */
  async saveEdit(): Promise<void> {
    if (this.isDirty) return;
    await this.#folds.saveEdit({ content: this.#content, pending: () => this.#unwritten() });
  }

  /** Runs one merge after another: two that read different states would lose one of them. */
  #oneAtATime(merge: () => Promise<void>): Promise<void> {
    const merging = this.#merging.then(merge);
    this.#merging = merging.catch(() => undefined);
    return merging;
  }

  #mergeIfEdited(): Promise<void> {
    return this.#oneAtATime(() => this.#mergeEdited());
  }

  /** If the file was edited, takes the file's state and applies the changes of this process to it. */
  async #mergeEdited(): Promise<void> {
    if (!(await this.#index.isEdited())) return;
    const { file, content } = await this.#onDisk.read();
    if (file !== undefined) {
      const [edited, known, pending] = [content.repositories, this.repositories, this.#unwritten()];
      const blobPath = (digest: Digest): string => this.blobPath(digest);
      this.#changes.add(this.#folds.missingIn({ file, edited, known, pending, blobPath }));
    }
    if (this.isDirty) this.#warnOfEdit();
    if (file === undefined) {
      this.#making = undefined;
      this.#isMade = false;
    }
    this.#index.take(file);
    this.#replaceContent(content);
  }

  /** The changes that are in no index yet. */
  #unwritten(): LayoutChanges {
    const changes = new LayoutChanges();
    for (const some of [this.#changes, this.#writing]) if (some !== undefined) changes.add(some);
    return changes;
  }

  /** Synchronous, so that no other change comes in between. */
  #replaceContent(content: LayoutContent): void {
    // If an index is being written, it does not have the edit, so it will not get its name.
    if (this.#writing !== undefined) this.#changes.add(this.#writing);
    const records = recordsOf(this.#changes, this.#content.repositories);
    this.#changes.forgetUnwritten();
    this.#changes.noteBefore(content.repositories);
    this.#content = content;
    for (const record of records) this.apply(record);
  }

  /** @returns false if another tool has edited the index meanwhile */
  async #write(beforeRename: (sha256: string) => Promise<void>): Promise<boolean> {
    const content = this.#content;
    const { head } = content;
    const replaced = this.sha256;
    const changes = this.#changes;
    this.#changes = new LayoutChanges();
    this.#changes.isWriting = true;
    this.#writing = changes;
    let isWritten = false;
    try {
      isWritten = await this.#index.write({
        head,
        entries: content.entries(),
        beforeRename: async (sha256) => {
          const pending = (): LayoutChanges => this.#changes;
          await this.#folds.save({ sha256, replaced, content, written: changes, pending });
          await beforeRename(sha256);
        },
      });
      return isWritten;
    } finally {
      this.#changes.isWriting = false;
      this.#writing = undefined;
      if (isWritten) {
        this.#written = changes;
        this.#folds.add(changes);
      } else {
        this.#changes.add(changes);
      }
    }
  }

  /**
   * Checks whether another tool has written to the index that was replaced last. A tool does that if it opened the
   * file before. Its changes are merged with those of this process and have to be written.
   */
  mergeReplaced(): Promise<void> {
    return this.#oneAtATime(() => this.#mergeReplaced());
  }

  async #mergeReplaced(): Promise<void> {
    const file = await this.#index.takeReplaced().catch((error: unknown) => {
      this.#settings.warn('another tool was writing to an index while it was replaced: its edits are lost', {
        file: this.#index.path,
        error,
      });
    });
    // The tool knows neither the changes in the index that replaced its file, nor later ones.
    const written = this.#written;
    this.#written = new LayoutChanges();
    if (file === undefined) return;
    this.#changes.add(written);
    const { snapshots, warn } = this.#settings;
    const snapshot = await readSnapshot(snapshots, this.directory, file.sha256, warn);
    this.#warnOfEdit();
    if (!(await this.#index.isEdited())) {
      this.#replaceContent(await this.#onDisk.contentOf(file, snapshot));
      return;
    }
    // Two tools have edited two states of the index. The visible file wins, and entries that only the other one has are
    // added.
    await this.#mergeEdited();
    const records = [...recordsOf(this.#changes, this.repositories)];
    for (const entry of file.entries) this.#content.addMissing(entry, knowledgeOf(snapshot));
    for (const record of records) this.apply(record);
  }

  #warnOfEdit(): void {
    this.#settings.warn('another tool has edited an index: both changes are kept', { directory: this.path });
  }

  /** Stops watching for edits to the replaced index. */
  release(): void {
    this.#index.release();
    this.#written = new LayoutChanges();
  }

  /** Reads the manifests that other tools wrote. Everything they name belongs to the repository too. */
  async explore(name: string): Promise<void> {
    // Repeat if the repository object was replaced meanwhile, because another tool edited the index.
    for (;;) {
      const repository = this.repositories.get(name);
      if (repository === undefined || repository.unparsed.size === 0) return;
      repository.exploring ??= explore(repository, this.#exploreOptions()).finally(() => {
        repository.exploring = undefined;
      });
      await repository.exploring;
    }
  }

  /** Reads all manifests that other tools wrote: only then does their content belong to repositories. */
  async exploreAll(): Promise<void> {
    for (const [name, { unparsed }] of this.repositories) if (unparsed.size > 0) await this.explore(name);
  }

  /** Before the index is written: its entries have to say what their manifests do not prove. */
  async #audit(): Promise<void> {
    if (!this.#settings.isShared) return;
    for (const repository of this.repositories.values()) {
      if (repository.unaudited.size === 0 && repository.disowned.size === 0) continue;
      await audit(repository, this.#exploreOptions());
    }
  }

  #exploreOptions(): ExploreOptions {
    const { isShared, warn } = this.#settings;
    return { blobPath: (digest) => this.blobPath(digest), isShared, warn };
  }

  /** The digests of these links that the repository does not own. */
  unownedBy(repository: string, { blobs, manifests }: ManifestLinks): Unowned | undefined {
    if (!this.#settings.isShared) return undefined;
    const { index } = this.repositories.get(repository) ?? {};
    return unownedOf(
      index,
      [...blobs, ...manifests].map(({ digest }) => digest),
    );
  }

  /** The digest that a tag will have when all queued records are written. */
  queuedTag(repository: string, tag: string): Digest | undefined {
    const queued = this.#queued.get(repository, tag);
    return queued === undefined ? this.repositories.get(repository)?.index.digestOfTag(tag) : queued.digest;
  }

  /** The tags that will have this digest when all queued records are written. */
  queuedTagsAt(repository: string, digest: Digest): Set<string> {
    const now = [...(this.repositories.get(repository)?.index.manifests.get(digest)?.tags ?? [])];
    const kept = now.filter((tag) => this.queuedTag(repository, tag) === digest);
    return new Set([...kept, ...this.#queued.at(repository, digest)]);
  }

  /** Makes {@link queuedTag} count these records until the returned function is called. */
  queue(records: readonly JournalRecord[]): () => void {
    return this.#queued.add(records);
  }
}

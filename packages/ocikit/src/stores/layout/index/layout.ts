import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistryError, splitDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import { assertInside, isTemporary, CheckedThisTurn, TimeSlice } from '../files/index.ts';
import type { Files, Warn } from '../files/index.ts';
import type { JournalRecord } from '../journal/index.ts';

import { applyRecord, recordsOf } from './apply-record.ts';
import { LayoutChanges } from './changes.ts';
import { explore } from './explore.ts';
import { readIndex, refNameAnnotation } from './index-file.ts';
import type { IndexFile, ParsedIndex } from './index-file.ts';
import { IndexOnDisk } from './index-on-disk.ts';
import { LayoutContent } from './layout-content.ts';
import type { LayoutRepository } from './layout-repository.ts';
import { assertVersion, makeMarker } from './marker.ts';
import type { EntryNames } from './entry-names.ts';
import { QueuedTags } from './queued-tags.ts';
import { readSnapshot, writeSnapshot } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

export interface LayoutSettings {
  root: string;
  /** Below the root; empty if it is the root itself. */
  directory: string;
  names: EntryNames;
  files: Files;
  /** Where {@link writeSnapshot} keeps what an index has no place for. */
  snapshots: string;
  /** One layout for all repositories, or one for each. */
  isShared: boolean;
  warn: Warn;
}

/** What is on the disk. */
export interface ReadLayout {
  file: IndexFile | undefined;
  content: LayoutContent;
}

/** So often somebody may edit an index while it is being written. */
const attempts = 10;

/** One OCI image layout: a directory with `oci-layout`, `index.json` and `blobs`. */
export class Layout {
  readonly directory: string;
  readonly path: string;
  readonly #settings: LayoutSettings;
  readonly #index: IndexOnDisk;
  readonly #blobs: string;
  #content: LayoutContent;
  /** Since the index was written last. */
  #changes = new LayoutChanges();
  /** What had changed when it was, as long as somebody may not have seen that. */
  #written = new LayoutChanges();
  #making: Promise<void> | undefined;
  #isFolding = false;
  #isTidy = false;
  readonly #queued = new QueuedTags();
  /** Where the files of which algorithm are. */
  readonly #checked = new CheckedThisTurn();

  constructor(settings: LayoutSettings) {
    this.#settings = settings;
    this.directory = settings.directory;
    this.path = join(settings.root, settings.directory);
    this.#index = new IndexOnDisk(join(this.path, 'index.json'), settings.files);
    this.#blobs = join(this.path, 'blobs/');
    this.#content = new LayoutContent(settings.names, undefined);
  }

  get repositories(): ReadonlyMap<string, LayoutRepository> {
    return this.#content.repositories;
  }

  /** Another one when the index has been read again. */
  get contentVersion(): object {
    return this.#content;
  }

  /** Entries of the index that mean nothing here. */
  get unassignedEntries(): readonly unknown[] {
    return this.#content.unassigned;
  }

  /** Of `index.json` as it was read or written last; empty if there is none. */
  get sha256(): string {
    return this.#index.sha256;
  }

  /** Entries in the index when it was read or written last. */
  get size(): number {
    return this.#index.size;
  }

  /** Where `index.json` is, or would be. */
  get indexPath(): string {
    return this.#index.path;
  }

  /** True if {@link mergeReplaced} may have something to do. */
  get isWatching(): boolean {
    return this.#index.isWatching;
  }

  /** True if something has changed since the index was written last, or it is just being written. */
  get isDirty(): boolean {
    return !this.#changes.isEmpty || this.#isFolding;
  }

  /**
   * Before a file is given the name of a blob.
   *
   * @throws RegistryError UNAVAILABLE if the way there leads out of the root
   */
  assertInsideRoot(digest: Digest): void {
    const { algorithm } = splitDigest(digest);
    if (this.#checked.has(algorithm)) return;
    assertInside(this.#settings.root, [...this.directory.split('/').filter(Boolean), 'blobs', algorithm]);
    this.#checked.note(algorithm);
  }

  /** Asked for in every request, so it is put together in the cheapest way. */
  blobPath(digest: Digest): string {
    return this.#blobs + digest.replace(':', '/');
  }

  /** Reads the index, and what is known of its manifests. Nothing here changes until it is shown. */
  async read(): Promise<ReadLayout> {
    const { snapshots, warn } = this.#settings;
    await this.#assertNoLinks();
    await assertVersion(this.path);
    const file = await readIndex(this.#index.path);
    const snapshot = await readSnapshot(snapshots, this.directory, file?.sha256 ?? '', warn);
    return { file, content: await this.#contentOf(file, snapshot) };
  }

  /** What was read is from now on what is seen, with these records on top. */
  show({ file, content }: ReadLayout, records: Iterable<JournalRecord>): void {
    this.#index.take(file);
    this.#content = content;
    this.#changes = new LayoutChanges();
    for (const record of records) this.apply(record);
  }

  async #contentOf(file: ParsedIndex | undefined, snapshot: Snapshot | undefined): Promise<LayoutContent> {
    const { names, warn } = this.#settings;
    const content = new LayoutContent(names, file);
    if (file !== undefined && file.unreadable.length > 0) {
      warn('entries of an index cannot be read, and are left as they are', {
        file: this.#index.path,
        entries: file.unreadable.length,
      });
    }
    const slice = new TimeSlice();
    for (const entry of file?.entries ?? []) {
      if (slice.isOver) await slice.giveWay();
      if (content.addEntry(entry, snapshot?.isOfIndex ?? false)) continue;
      warn('an entry of an index names no repository here, and is left as it is', {
        file: this.#index.path,
        name: entry.annotations?.[refNameAnnotation],
      });
    }
    await snapshot?.restore(content);
    return content;
  }

  /** Makes a record visible. */
  apply(record: JournalRecord): void {
    applyRecord(this.#content, this.#changes, record);
  }

  /** Makes the directory a layout, if it is none. */
  make(): Promise<void> {
    // One at a time: an empty index must not take the place of one that has been written meanwhile.
    this.#making ??= this.#make().catch((error: unknown) => {
      this.#making = undefined;
      throw error;
    });
    return this.#making;
  }

  async #make(): Promise<void> {
    const { files } = this.#settings;
    await files.makeDirectory(join(this.path, 'blobs'));
    await this.#tidy();
    await makeMarker(this.path, files);
    await this.#index.make();
  }

  /** Removes what a crash in the middle of a write left. Only this process writes here, and nothing is under way. */
  async #tidy(): Promise<void> {
    if (this.#isTidy) return;
    for (const name of await readdir(this.path)) {
      if (isTemporary(name)) await rm(join(this.path, name), { force: true });
    }
    this.#isTidy = true;
  }

  /**
   * Writes the index. If somebody else has edited it, also while it is being written, both changes are in it.
   *
   * @param beforeRename is told the sha256 that the index will have, when its content is durable
   */
  async fold(beforeRename: (sha256: string) => Promise<void>): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      await this.#mergeIfEdited();
      await this.make();
      if (await this.#write(beforeRename)) return;
    }
    throw new RegistryError('UNAVAILABLE', `${this.#index.path} is being edited all the time`);
  }

  /** Takes the file's state for the new one and puts what has changed here since on top of it. */
  async #mergeIfEdited(): Promise<void> {
    if (!(await this.#index.isEdited())) return;
    const { file, content } = await this.read();
    this.#warnOfEdit();
    if (file === undefined) this.#making = undefined;
    this.#index.take(file);
    this.#replaceContent(content);
  }

  /** In one step: nobody's change may come between. */
  #replaceContent(content: LayoutContent): void {
    const records = recordsOf(this.#changes, this.#content.repositories);
    this.#content = content;
    for (const record of records) this.apply(record);
  }

  /** @returns false if somebody has edited the index meanwhile */
  async #write(beforeRename: (sha256: string) => Promise<void>): Promise<boolean> {
    const { directory, files, snapshots } = this.#settings;
    const content = this.#content;
    const { head } = content;
    const changes = this.#changes;
    this.#changes = new LayoutChanges();
    this.#isFolding = true;
    let isWritten = false;
    try {
      isWritten = await this.#index.write({
        head,
        entries: content.entries(),
        beforeRename: async (sha256) => {
          await writeSnapshot(snapshots, directory, sha256, content, files);
          await beforeRename(sha256);
        },
      });
      return isWritten;
    } finally {
      this.#isFolding = false;
      if (isWritten) this.#written = changes;
      else this.#changes.add(changes);
    }
  }

  /**
   * Looks whether somebody has written to the index that was replaced last, as a tool does that opened it before. What
   * it says is then brought together with what is here, and has to be written.
   */
  async mergeReplaced(): Promise<void> {
    const file = await this.#index.takeReplaced().catch((error: unknown) => {
      this.#settings.warn('somebody was writing to an index while it was replaced: what it was is lost', {
        file: this.#index.path,
        error,
      });
    });
    // It does not know what was written over it, nor what has changed since.
    const written = this.#written;
    this.#written = new LayoutChanges();
    if (file === undefined) return;
    this.#changes.add(written);
    const { snapshots, warn } = this.#settings;
    const snapshot = await readSnapshot(snapshots, this.directory, file.sha256, warn);
    this.#warnOfEdit();
    if (!(await this.#index.isEdited())) {
      this.#replaceContent(await this.#contentOf(file, snapshot));
      return;
    }
    // Two others have edited two states of it. What can be seen in its place counts, and nothing is left out.
    await this.#mergeIfEdited();
    const records = [...recordsOf(this.#changes, this.repositories)];
    for (const entry of file.entries) this.#content.addMissing(entry);
    for (const record of records) this.apply(record);
  }

  #warnOfEdit(): void {
    this.#settings.warn('somebody else has edited an index: both changes are kept', { directory: this.path });
  }

  /** Nobody looks any more what others do to it. */
  release(): void {
    this.#index.release();
    this.#written = new LayoutChanges();
  }

  /** Looks into the manifests that other tools wrote: what they name belongs to the repository too. */
  async explore(name: string): Promise<void> {
    const { isShared, warn } = this.#settings;
    // Again if it has become another meanwhile, because somebody edited the index.
    for (;;) {
      const repository = this.repositories.get(name);
      if (repository === undefined || repository.unparsed.size === 0) return;
      const blobPath = (digest: Digest): string => this.blobPath(digest);
      repository.exploring ??= explore(repository, { blobPath, isShared, warn }).finally(() => {
        repository.exploring = undefined;
      });
      await repository.exploring;
    }
  }

  /** A link could lead out of the root. */
  async #assertNoLinks(): Promise<void> {
    const { root, warn } = this.#settings;
    try {
      assertInside(root, [...(this.directory === '' ? [] : this.directory.split('/')), 'blobs']);
      assertInside(this.path, ['index.json']);
    } catch (error) {
      warn('a layout is behind a symbolic link, which is not followed', { directory: this.path });
      throw error;
    }
  }

  /** What a tag will be when all that is queued has been written. */
  queuedTag(repository: string, tag: string): Digest | undefined {
    const queued = this.#queued.get(repository, tag);
    return queued === undefined ? this.repositories.get(repository)?.index.digestOfTag(tag) : queued.digest;
  }

  /** The tags that will be at this digest then. */
  queuedTagsAt(repository: string, digest: Digest): Set<string> {
    const now = [...(this.repositories.get(repository)?.index.manifests.get(digest)?.tags ?? [])];
    const kept = now.filter((tag) => this.queuedTag(repository, tag) === digest);
    return new Set([...kept, ...this.#queued.at(repository, digest)]);
  }

  /** Until the returned function is called, others judge tags by these records. */
  queue(records: readonly JournalRecord[]): () => void {
    return this.#queued.add(records);
  }
}

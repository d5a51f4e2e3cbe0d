// One root directory: its layouts, becoming the process that writes, and committing records.
import { createUploadIdIssuer, RegistryError } from '../../../model/index.ts';
import type { Digest, UploadIdIssuer } from '../../../model/index.ts';

import type { NameList } from '../../repository/index.ts';

import { directoryOf, Files, hasBlobs, PrivateDirectory, privateDirectoryOf, repositoryOf } from '../files/index.ts';
import type { Durability, Warn } from '../files/index.ts';
import { Layout, sharedNames, singleNames } from '../index/index.ts';
import { HistoryFiles, Journal, readContent, UnsettledContent } from '../journal/index.ts';
import type { JournalledContent, JournalRecord, TagMoveRecord } from '../journal/index.ts';

import { Commits } from './commits.ts';
import { Edits } from './edits.ts';
import { Folding } from './folding.ts';
import { Follower } from './follower.ts';
import { LayoutCache } from './layout-cache.ts';
import { RootLock } from './lock.ts';
import { journalProblems } from './problems.ts';
import { recover, saveDamaged } from './recovery.ts';
import { RepositoryNames } from './repository-names.ts';

/** The root directory and how it is used. */
export interface StoreOptions {
  /** The root directory. */
  root: string;
  /** True if one layout holds all repositories, false if each has its own. */
  isShared: boolean;
  /** True if this process must write nothing. Default: false. */
  isReadOnly?: boolean | undefined;
  /** The repository of index entries that name none. */
  defaultRepository: string | undefined;
  /** How durable acknowledged content is. */
  durability: Durability;
  /** Called for problems that do not stop the store. */
  warn: Warn;
  /** Runs around being the process that writes. */
  ownership?: Ownership | undefined;
}

/** Steps around being the process that writes. */
export interface Ownership {
  /** Runs when this process has become the writer, before any caller can rely on that. */
  begin(): Promise<void>;
  /** Runs before this process stops being the writer. */
  end(): Promise<void>;
}

/**
 * A root directory: its layouts, the journal that extends their indexes, and the right to write.
 *
 * Reading needs no lock. Changes by another process show up soon.
 */
export class LayoutStore {
  /** The root directory. */
  readonly root: string;
  /** True if one layout holds all repositories. */
  readonly isShared: boolean;
  /** True if this process must write nothing. */
  readonly isReadOnly: boolean;
  /** Writes the files of the root. */
  readonly files: Files;
  /** Called for problems that do not stop the store. */
  readonly warn: Warn;
  /** Paths of the files that only ocikit reads. */
  readonly private: PrivateDirectory;
  readonly #defaultRepository: string | undefined;
  readonly #ownership: Ownership | undefined;
  readonly #unsettled: UnsettledContent;
  readonly #history: HistoryFiles;
  #layouts: LayoutCache;
  #follower: Follower;
  #journal: Journal | undefined;
  #lock: RootLock | undefined;
  #owning: Promise<void> | undefined;
  #ids: UploadIdIssuer | undefined;
  readonly #folding: Folding;
  /** Commits records and small files. */
  readonly commits: Commits;
  readonly #edits: Edits;
  #names: RepositoryNames;
  /** Directories of layouts for which the current generation has a `base` record. */
  readonly #based = new Set<string>();
  /** See `warned` of {@link Layout}'s settings. */
  readonly #warned = new Set<string>();
  #saving: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  readonly #closed = new AbortController();

  constructor(options: StoreOptions) {
    this.root = options.root;
    this.isShared = options.isShared;
    this.isReadOnly = options.isReadOnly === true;
    this.files = new Files(options.durability, privateDirectoryOf(options.root));
    this.warn = options.warn;
    this.private = new PrivateDirectory(options.root, this.files);
    this.#defaultRepository = options.defaultRepository;
    this.#ownership = options.ownership;
    this.#unsettled = new UnsettledContent(this.private, this.files);
    this.#history = new HistoryFiles(this.private.history, this.files);
    this.#layouts = this.#newLayouts();
    this.#follower = this.#newFollower();
    this.#names = this.#newNames();
    this.#folding = new Folding({
      files: this.files,
      warn: this.warn,
      unsettled: this.#unsettled,
      history: this.#history,
      based: this.#based,
      journal: () => this.#journal,
      layouts: () => this.#layouts.all(),
      assertOwned: () => this.assertOwned(),
    });
    this.commits = new Commits({
      files: this.files,
      unsettled: this.#unsettled,
      history: this.#history,
      based: this.#based,
      folding: this.#folding,
      journal: () => this.#journal,
      openJournal: () => {
        if (this.#journal === undefined || this.#closing !== undefined) throw closed();
        return this.#journal;
      },
      onApplied: (layout, records) => {
        this.#layouts.retain(layout);
        this.#noteNames(layout, records);
      },
    });
    this.#edits = new Edits(this.warn, (layout) => this.#noteEdit(layout));
  }

  /** The layout of a repository, if no waiting is needed; nearly always so in the process that writes. */
  loadedLayoutOf(repository: string): Layout | undefined {
    if (this.#lock === undefined || this.#layouts.isFull || this.#closing !== undefined) return undefined;
    const layout = this.#layouts.loaded(this.isShared ? '' : directoryOf(repository));
    return layout !== undefined && this.#edits.isSeen(layout) ? layout : undefined;
  }

  /**
   * The layout of a repository, including changes by other processes. The repository need not exist.
   *
   * @throws RegistryError UNAVAILABLE if the store has been closed
   */
  async layoutOf(repository: string): Promise<Layout> {
    this.assertOpen();
    return this.#layoutOf(repository);
  }

  /** Also for a store that is being closed, which finishes what it has begun. */
  async #layoutOf(repository: string): Promise<Layout> {
    const layout = await this.#layouts.get(this.isShared ? '' : directoryOf(repository));
    if (this.#lock === undefined) {
      await this.#follower.refresh(layout);
      return layout;
    }
    // All of them have changes to write.
    if (this.#layouts.isFull) this.#folding.now();
    if (!this.#edits.isSeen(layout)) await this.#edits.see(layout);
    return layout;
  }

  async #noteEdit(layout: Layout): Promise<void> {
    if (layout.isDirty) this.#foldSoon(layout);
    else this.#saveEdit(layout);
    if (this.isShared) return;
    const name = repositoryOf(layout.directory);
    this.noteRepository(name, layout.repositories.has(name) || (await hasBlobs(layout.path)));
  }

  #foldSoon(layout: Layout): void {
    this.#layouts.retain(layout);
    this.#folding.whenIdle(layout);
  }

  /** No request waits for it. */
  #saveEdit(layout: Layout): void {
    const save = async (): Promise<void> => {
      try {
        this.assertOwned();
        await layout.saveEdit();
      } catch (error) {
        this.warn('a snapshot could not be written', { directory: layout.path, error });
      }
    };
    this.#saving = Promise.all([this.#saving, save()]).then(() => undefined);
  }

  #newLayouts(): LayoutCache {
    return new LayoutCache(
      (directory) => this.#openLayout(directory),
      // A layout that is only read is never ahead of the disk.
      (layout) => this.#journal !== undefined && (layout.isDirty || layout.isWatching),
    );
  }

  async #openLayout(directory: string): Promise<Layout> {
    const { files, root, isShared, warn } = this;
    this.private.assertReal();
    const { snapshots } = this.private;
    const names = isShared ? sharedNames(this.#defaultRepository) : singleNames(repositoryOf(directory));
    const warned = this.#warned;
    const layout = new Layout({ root, directory, names, files, snapshots, isShared, warn, warned });
    // Once this process writes, all journals of other processes have been folded, except for held layouts.
    if (this.#journal === undefined || this.#folding.isHeld(directory)) await this.#follower.open(layout);
    else layout.show(await layout.read(), []);
    // Another tool has undone what was folded.
    if (this.#journal !== undefined && layout.isDirty) this.#foldSoon(layout);
    layout.lookedAt = this.#edits.now;
    return layout;
  }

  #newFollower(): Follower {
    return new Follower(this.private.path, this.isShared, this.warn);
  }

  #newNames(): RepositoryNames {
    return new RepositoryNames(this.root, { isWriter: this.#lock !== undefined });
  }

  /** Discards everything that was read: it may be outdated. */
  #forgetAll(): void {
    this.#layouts = this.#newLayouts();
    this.#follower = this.#newFollower();
    this.#names = this.#newNames();
  }

  /** @throws RegistryError UNAVAILABLE if the store has been closed */
  assertOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }

  /** @throws RegistryError UNSUPPORTED if the directory was opened to be read only */
  assertWritable(): void {
    if (this.isReadOnly) throw this.#isOnlyRead();
  }

  #isOnlyRead(): RegistryError {
    return new RegistryError('UNSUPPORTED', `${this.root} was opened to be read only`);
  }

  /** Makes this process the one that writes. */
  own(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    if (this.isReadOnly) return Promise.reject(this.#isOnlyRead());
    this.#owning ??= this.#own().catch((error: unknown) => {
      this.#owning = undefined;
      throw error;
    });
    return this.#owning;
  }

  async #own(): Promise<void> {
    this.private.assertReal();
    const lock = await RootLock.acquire(this.private.path, {
      signal: this.#closed.signal,
      onWait: (owner) =>
        this.warn('another host or container may be writing here: waiting up to half a minute to be sure', {
          directory: this.root,
          pid: owner?.pid,
          host: owner?.host,
        }),
    });
    try {
      this.#lock = lock;
      const assertOwned = (): void => lock.assertOwned();
      // Other processes may have written until the lock was taken.
      this.#forgetAll();
      this.private.close(this.warn);
      const journals = await this.#follower.journals();
      await saveDamaged(journals, this.private.path, this.warn);
      const journal = new Journal(this.private.path, this.files, (journals.generations.at(-1) ?? 0) + 1, assertOwned);
      await this.private.removeLeftovers();
      this.#ids = createUploadIdIssuer(await this.private.uploadKey());
      await this.files.whileAlwaysDurable(async () => {
        const held = await recover(journals, journal, {
          root: this.root,
          dir: this.private.path,
          warn: this.warn,
          unsettled: this.#unsettled,
          history: this.#history,
          folding: this.#folding,
          assertOwned,
          layoutIn: (directory) => this.#layoutOf(this.isShared ? '' : repositoryOf(directory)),
        });
        this.#journal = journal;
        if (held.size === 0) await this.#folding.removeGenerations(journal, journals.generations);
        else this.#folding.hold(journals.generations, held);
      });
      this.#folding.whenIdle();
      this.#edits.start();
      await this.#ownership?.begin();
    } catch (error) {
      this.#lock = undefined;
      this.#journal = undefined;
      this.#forgetAll();
      await lock.release();
      throw error;
    }
  }

  /** True if this process is the one that writes. */
  get isWriter(): boolean {
    return this.#journal !== undefined && this.#closing === undefined;
  }

  /** True if a process writes to the root, or may do so. */
  hasWriter(): Promise<boolean> {
    return this.#lock === undefined ? RootLock.isHeld(this.private.path) : Promise.resolve(true);
  }

  /** Creates and checks upload ids, which stay valid after a restart. To be read only, it only checks them. */
  async ids(): Promise<UploadIdIssuer> {
    // Without a key there are no uploads: no id is valid for a random one.
    if (this.isReadOnly) return createUploadIdIssuer(await this.private.existingUploadKey());
    await this.own();
    if (this.#ids === undefined) throw new TypeError('the store is not open');
    return this.#ids;
  }

  /**
   * Call it before each step that other processes would see and that has no journal record.
   *
   * @throws RegistryError UNAVAILABLE if another process has taken the lock
   */
  assertOwned(): void {
    this.#lock?.assertOwned();
  }

  /** Small content that another process has pushed and may not have written to its file yet. */
  journalledContent(layout: Layout, digest: Digest): JournalledContent | undefined {
    return this.#lock === undefined ? this.#follower.contentOf(layout, digest) : undefined;
  }

  /** The digests for which {@link journalledContent} has content. */
  journalledDigests(layout: Layout): Digest[] {
    return this.#lock === undefined ? this.#follower.digestsOf(layout) : [];
  }

  /** @returns undefined if the content is in its file by now */
  readJournalled(content: JournalledContent): Uint8Array | undefined {
    return readContent(this.private.path, content);
  }

  #noteNames(layout: Layout, records: readonly JournalRecord[]): void {
    if (this.isShared) return;
    for (const record of records) {
      if ('repository' in record && layout.repositories.has(record.repository)) {
        this.#names.note(record.repository, true);
      }
    }
  }

  /**
   * Writes every index that the journal extends, and starts a new journal.
   *
   * @param layout the one that the caller needs to be written; undefined: all
   * @throws the error of the layout that could not be written
   */
  fold(layout?: Layout): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    return this.#folding.fold(layout?.directory);
  }

  /**
   * Resolves when the index on disk does not name a manifest that is no longer in the repository. It takes bounded time
   * while clients push, and often none.
   */
  async removeFromIndex(layout: Layout, repository: string, digest: Digest): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    if (await layout.mayIndexName(repository, digest)) await this.#folding.foldOne(layout);
  }

  /** The moves of tags in the repository's layout, newest first. */
  movesOf(repository: string): AsyncIterable<TagMoveRecord> {
    const directory = this.isShared ? '' : directoryOf(repository);
    return this.#history.newestFirst(directory, async () => {
      // Until this process writes, the journals belong to another process.
      if (this.#journal !== undefined) return this.#history.pending(directory);
      return (await this.#follower.journals()).recordsOf(directory);
    });
  }

  /** A message for each damaged journal, and for each file that damaged records were saved in. */
  problems(): AsyncGenerator<string, void, undefined> {
    return journalProblems(this.private.path, { isShared: this.isShared, isWriter: this.#journal !== undefined });
  }

  /** All repositories, in byte order. */
  async names(): Promise<NameList> {
    this.assertOpen();
    return this.isShared ? (await this.layoutOf('')).names : this.#names;
  }

  /** Notes that a repository appeared or is gone. */
  noteRepository(name: string, exists: boolean): void {
    if (!this.isShared) this.#names.note(name, exists);
  }

  /** Writes everything, then lets another process write. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#folding.stop();
    this.#edits.stop();
    this.#closed.abort(closed());
    await this.#owning?.catch(() => undefined);
    try {
      await this.#folding.finish();
    } finally {
      await this.#saving;
      for (const opening of this.#layouts.all()) (await opening.catch(() => undefined))?.release();
      await this.#journal?.close();
      await this.#releaseLock();
    }
  }

  async #releaseLock(): Promise<void> {
    const lock = this.#lock;
    if (lock === undefined) return;
    if (lock.isOwned) await this.#ownership?.end();
    await lock.release();
  }
}

function closed(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry has been closed');
}

import { join } from 'node:path';

import { createUploadIdIssuer, isRegistryError, RegistryError } from '../../model/index.ts';
import type { Digest, UploadIdIssuer } from '../../model/index.ts';
import { SortedNames } from '../repository/index.ts';

import { assertInside, Files, hasCode } from './files.ts';
import type { Durability } from './files.ts';
import { Following } from './following.ts';
import type { JournalledContent } from './found-journals.ts';
import { Journal } from './journal.ts';
import type { Outcome } from './journal.ts';
import { quarantine, randomMask, readContent, truncateJournal } from './journal-file.ts';
import type { ContentRecord, JournalPlace, JournalRecord, MovedRecord } from './journal-file.ts';
import { Layout } from './layout.ts';
import { RootLock } from './lock.ts';
import { directoryOf, repositoryOf, sharedNames, singleNames } from './names.ts';
import { OpenLayouts } from './open-layouts.ts';
import { PrivateDirectory } from './private-directory.ts';
import { RepositoryNames } from './repository-names.ts';
import { TimeSlice } from './slices.ts';
import { TagMoves } from './tag-moves.ts';
import { UnsettledContent } from './unsettled-content.ts';
import type { Warn } from './warn.ts';

export interface StoreOptions {
  root: string;
  /** One layout for all repositories, or one for each. */
  isShared: boolean;
  defaultRepository: string | undefined;
  durability: Durability;
  warn: Warn;
  ownership?: Ownership | undefined;
}

/** What depends on being the one that writes. */
export interface Ownership {
  /** Runs when this process has become it, before anybody else can rely on that. */
  begin(): Promise<void>;
  /** Runs before it lets somebody else be it. */
  end(): Promise<void>;
}

/** A small file that is written, and gets its name when the journal has its bytes. */
export interface SmallFile {
  digest: Digest;
  bytes: Uint8Array;
  /** Gives it its name. */
  place: () => void;
}

/** The journal is folded when it is larger than this, and larger than a quarter of the indexes that it extends. */
const smallestFold = 4 * 1024 * 1024;
/** So many bytes of small files it may have besides. */
const largestContent = 64 * 1024 * 1024;
const idleFold = 30_000;
const entrySize = 200;

/**
 * A root directory: its layouts, the journal that extends their indexes, and the right to write to it.
 *
 * Reading needs no lock. What another process writes is seen soon after.
 */
export class LayoutStore {
  readonly root: string;
  readonly isShared: boolean;
  readonly files: Files;
  readonly warn: Warn;
  readonly private: PrivateDirectory;
  readonly #defaultRepository: string | undefined;
  readonly #ownership: Ownership | undefined;
  readonly #unsettled: UnsettledContent;
  readonly #moves: TagMoves;
  #layouts: OpenLayouts;
  #following: Following;
  #journal: Journal | undefined;
  #lock: RootLock | undefined;
  #owning: Promise<void> | undefined;
  #ids: UploadIdIssuer | undefined;
  #folding: Promise<void> | undefined;
  #nextFold: Promise<void> | undefined;
  /** Generations that a fold has frozen and not removed yet, oldest first. */
  readonly #frozen: number[] = [];
  #idle: ReturnType<typeof setTimeout> | undefined;
  #names: RepositoryNames;
  /** Directories of layouts that the journal's current generation extends. */
  readonly #based = new Set<string>();
  #closing: Promise<void> | undefined;
  readonly #end = new AbortController();

  constructor(options: StoreOptions) {
    this.root = options.root;
    this.isShared = options.isShared;
    this.files = new Files(options.durability);
    this.warn = options.warn;
    this.private = new PrivateDirectory(options.root, this.files);
    this.#defaultRepository = options.defaultRepository;
    this.#ownership = options.ownership;
    this.#unsettled = new UnsettledContent(this.private, this.files);
    this.#moves = new TagMoves(this.private.history, this.files);
    this.#layouts = this.#newLayouts();
    this.#following = this.#newFollowing();
    this.#names = new RepositoryNames(this.root);
  }

  /** The layout that has a repository, if nothing has to be waited for, as nearly always where this process writes. */
  layoutAtHand(repository: string): Layout | undefined {
    if (this.#lock === undefined || this.#layouts.isFull) return undefined;
    return this.#layouts.atHand(this.isShared ? '' : directoryOf(repository));
  }

  /** The layout that holds a repository, as far as it exists, with what other processes have written. */
  async layoutOf(repository: string): Promise<Layout> {
    const layout = await this.#layouts.get(this.isShared ? '' : directoryOf(repository));
    if (this.#lock === undefined) await this.#following.refresh(layout);
    // All of them wait to be written.
    else if (this.#layouts.isFull) this.#foldNow();
    return layout;
  }

  #newLayouts(): OpenLayouts {
    return new OpenLayouts(
      (directory) => this.#openLayout(directory),
      // Of one that is only read, what is on the disk is not behind.
      (layout) => this.#journal !== undefined && (layout.isDirty || layout.isWatching),
    );
  }

  async #openLayout(directory: string): Promise<Layout> {
    const { files, root, isShared, warn } = this;
    const { snapshots } = this.private;
    const names = isShared ? sharedNames(this.#defaultRepository) : singleNames(repositoryOf(directory));
    const layout = new Layout({ root, directory, names, files, snapshots, isShared, warn });
    // Once this process writes, all journals of others have been folded.
    if (this.#journal === undefined) await this.#following.open(layout);
    else layout.show(await layout.read(), []);
    return layout;
  }

  #newFollowing(): Following {
    return new Following(this.private.path, this.isShared, this.warn);
  }

  /** What was read before may not be so any more. */
  #forgetAll(): void {
    this.#layouts = this.#newLayouts();
    this.#following = this.#newFollowing();
    this.#names = new RepositoryNames(this.root);
  }

  /** Makes this process the one that writes. */
  own(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    this.#owning ??= this.#own().catch((error: unknown) => {
      this.#owning = undefined;
      throw error;
    });
    return this.#owning;
  }

  async #own(): Promise<void> {
    const lock = await RootLock.acquire(this.private.path, {
      signal: this.#end.signal,
      onWait: (owner) =>
        this.warn('somebody elsewhere may be writing here: it takes half a minute to be sure', {
          directory: this.root,
          pid: owner?.pid,
          host: owner?.host,
        }),
    });
    try {
      this.#lock = lock;
      const assertOwned = (): void => lock.assertOwned();
      // Until the lock was ours, others may have written.
      this.#forgetAll();
      const journals = await this.#following.journals();
      const { generations, directories, damaged, lastLength } = journals;
      for (const journal of damaged) {
        const file = await quarantine(this.private.path, journal.generation, journal.damaged);
        this.warn('records of a journal cannot be read, and have been put aside', { file });
      }
      const last = generations.at(-1);
      const journal = new Journal(this.private.path, this.files, (last ?? 0) + 1, assertOwned);
      await this.private.removeLeftovers();
      this.#ids = createUploadIdIssuer(await this.private.uploadKey());
      await this.files.whileKeepingPromises(async () => {
        const slice = new TimeSlice();
        for (const content of journals.contents) {
          await this.#recover(content);
          if (slice.isOver) await slice.giveWay();
        }
        if (last !== undefined && lastLength > 0) await truncateJournal(this.private.path, last, lastLength);
        const frozen = lastLength > 0 ? last : undefined;
        for (const directory of directories) {
          const layout = await this.layoutOf(this.isShared ? '' : repositoryOf(directory));
          if (layout.isDirty) await this.#foldLayout(layout, journal, frozen);
          await this.#moves.keep(directory, journals.recordsOf(directory));
        }
        this.#journal = journal;
        await this.#removeGenerations(journal, generations);
      });
      this.#foldWhenIdle();
      await this.#ownership?.begin();
    } catch (error) {
      this.#lock = undefined;
      this.#journal = undefined;
      this.#forgetAll();
      await lock.release();
      throw error;
    }
  }

  /** Ids of uploads, which stay good when the process is started again. */
  async ids(): Promise<UploadIdIssuer> {
    await this.own();
    if (this.#ids === undefined) throw new TypeError('the store is not open');
    return this.#ids;
  }

  /**
   * Before each step that another process would see, and that no journal record goes with.
   *
   * @throws RegistryError UNAVAILABLE if somebody took the lock away
   */
  assertOwned(): void {
    this.#lock?.assertOwned();
  }

  /** Whether the journal can take small files, so that nobody has to wait for each of them. */
  get takesSmallFiles(): boolean {
    return this.files.durability === 'fsync' && !this.#unsettled.isFull;
  }

  /**
   * Makes records of one layout durable, and then visible, all or none.
   *
   * @param file that gets its name in the same step
   */
  async commit(layout: Layout, records: readonly JournalRecord[], file?: SmallFile): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined || this.#closing !== undefined) throw closed();
    // Nothing waits until they are queued: what the caller has seen still holds.
    const settle = layout.queue(records);
    const { directory } = layout;
    const before: (JournalRecord | ContentRecord)[] = [];
    if (records.length > 0 && !this.#based.has(directory)) {
      before.push({ op: 'base', directory, sha256: layout.sha256 });
      this.#based.add(directory);
    }
    const mask = file === undefined ? 0 : randomMask();
    if (file !== undefined) {
      before.push({ op: 'content', directory, digest: file.digest, size: file.bytes.length, mask });
    }
    try {
      await journal.append(
        { records: [...before, ...records], contents: file === undefined ? [] : [file.bytes] },
        {
          apply: (place) => {
            // No longer judged by what is queued, whatever comes of it.
            settle();
            if (file !== undefined) this.#place(layout, file, { ...place, mask });
            for (const record of records) layout.apply(record);
            this.#moves.note(directory, records);
            this.#layouts.keep(layout);
            this.#noteNames(layout, records);
          },
          undo: settle,
        },
      );
    } catch (error) {
      this.#based.delete(directory);
      if (journal.isBroken) this.#foldNow();
      throw error;
    }
    this.#foldSoon(journal, layout);
  }

  #place(layout: Layout, { digest, bytes, place }: SmallFile, at: JournalPlace & { mask: number }): void {
    place();
    const path = layout.blobPath(digest);
    this.#unsettled.add({ ...at, path, directory: layout.directory, digest, size: bytes.length });
  }

  /** What another process has pushed, and may not have written to its file yet. */
  journalledContent(layout: Layout, digest: Digest): JournalledContent | undefined {
    return this.#lock === undefined ? this.#following.contentOf(layout, digest) : undefined;
  }

  /** Those that {@link journalledContent} has. */
  journalledDigests(layout: Layout): Digest[] {
    return this.#lock === undefined ? this.#following.digestsOf(layout) : [];
  }

  /** @returns undefined if it is in its file by now */
  readJournalled(content: JournalledContent): Uint8Array | undefined {
    return readContent(this.private.path, content);
  }

  /** Before something else than the journal relies on a file. */
  async settleFile(path: string): Promise<void> {
    await this.#unsettled.settleOne(path);
  }

  /** After a file was removed: what the journal says of it must not bring it back. */
  async noteRemoved(layout: Layout, digest: Digest): Promise<void> {
    const path = layout.blobPath(digest);
    const journal = this.#journal;
    if (journal === undefined || !this.#unsettled.has(path)) return;
    this.#unsettled.forget(path);
    const records: ContentRecord[] = [{ op: 'removed', directory: layout.directory, digest }];
    try {
      await journal.append({ records }, nothing);
    } catch (error) {
      // A new journal does without the old one's bytes. What is in this one may bring the file back until then.
      this.#foldNow();
      throw error;
    }
    this.#foldWhenIdle();
  }

  /** Removes generations, the last of which is the newest, when the files are durable that only they answer for. */
  async #removeGenerations(journal: Journal, generations: number[]): Promise<void> {
    const newest = generations.at(-1);
    if (newest === undefined) return;
    const files = this.#unsettled.all().filter(({ generation }) => generation <= newest);
    await this.#unsettled.settle(files);
    for (let oldest = generations[0]; oldest !== undefined; oldest = generations[0]) {
      await journal.remove(oldest);
      generations.shift();
    }
    // Not before: as long as a journal is there, what it brings back has to be noted as removed.
    this.#unsettled.forgetAll(files);
  }

  async #recover(content: JournalledContent): Promise<void> {
    const { directory, digest } = content;
    const components = [...directory.split('/').filter(Boolean), 'blobs', ...digest.split(':')];
    try {
      assertInside(this.root, components);
      await this.#unsettled.recover({ ...content, path: join(this.root, ...components) });
    } catch (error) {
      // Where a link is, or a directory, or a file in place of a directory, it would be so each time. All else may pass.
      if (!isRegistryError(error) && !hasCode(error, 'EISDIR', 'ENOTDIR', 'EEXIST')) throw error;
      this.warn('a file that is in the journal cannot be written', { error });
    }
  }

  #noteNames(layout: Layout, records: readonly JournalRecord[]): void {
    for (const record of records) {
      if ('repository' in record && layout.repositories.has(record.repository)) {
        void this.#names.note(record.repository, true);
      }
    }
  }

  #foldSoon(journal: Journal, layout: Layout): void {
    const { contentLength } = journal;
    const length = journal.length - contentLength;
    const isLong = length > Math.max(smallestFold, (layout.size * entrySize) / 4) || contentLength > largestContent;
    if (isLong || this.#unsettled.isDue) this.#foldNow();
    else this.#foldWhenIdle();
  }

  #foldWhenIdle(): void {
    clearTimeout(this.#idle);
    if (this.#closing !== undefined) return;
    this.#idle = setTimeout(() => this.#foldNow(), idleFold);
    this.#idle.unref();
  }

  /** Nobody waits for it; if it fails, the journal still has everything. */
  #foldNow(): void {
    if (this.#folding !== undefined || this.#closing !== undefined) return;
    this.#foldNext().catch((error: unknown) => this.warn('the index could not be written', { error }));
  }

  /** Writes every index that the journal extends, and begins a new journal. */
  fold(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    return this.files.pace.hurry(() => this.#foldNext());
  }

  #foldNext(): Promise<void> {
    // One that runs already may have passed by what was pushed last.
    this.#nextFold ??= (async (): Promise<void> => {
      await this.#folding?.catch(() => undefined);
      this.#nextFold = undefined;
      this.#folding = this.#fold().finally(() => {
        this.#folding = undefined;
      });
      await this.#folding;
    })();
    return this.#nextFold;
  }

  async #fold(): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    const rotated = await journal.rotate(() => this.#based.clear());
    if (rotated !== undefined) this.#frozen.push(rotated);
    // What a fold that failed has left is replayed before it, and must not outlive it.
    const frozen = this.#frozen.at(-1);
    let isWatching = false;
    for (const opening of this.#layouts.all()) {
      const layout = await opening.catch(() => undefined);
      if (layout === undefined) continue;
      await layout.mergeReplaced();
      if (layout.isDirty) await this.#foldLayout(layout, journal, frozen);
      isWatching ||= layout.isWatching;
    }
    if (isWatching) this.#foldWhenIdle();
    await this.#moves.settle();
    await this.#removeGenerations(journal, this.#frozen);
  }

  /** @param frozen the newest generation that is going to be removed; undefined if there is none */
  async #foldLayout(layout: Layout, journal: Journal, frozen: number | undefined): Promise<void> {
    const { directory } = layout;
    this.#lock?.assertOwned();
    await layout.fold(async (sha256) => {
      // An index must not name what may not be there after a loss of power.
      await this.#unsettled.settle(this.#unsettled.all().filter((file) => file.directory === directory));
      if (frozen !== undefined) await journal.appendTo(frozen, { op: 'folded', directory, sha256 });
    });
    // What came meanwhile said that it extends the index before this one.
    if (this.#based.has(directory)) {
      await journal.append({ records: [{ op: 'base', directory, sha256: layout.sha256 }] }, nothing);
    }
  }

  /** How tags of the layout moved that has the repository, newest first. */
  movesOf(repository: string): AsyncIterable<MovedRecord> {
    const directory = this.isShared ? '' : directoryOf(repository);
    return this.#moves.newestFirst(directory, async () => {
      // Until this process writes, the journals are others'.
      if (this.#journal !== undefined) return this.#moves.waiting(directory);
      return (await this.#following.journals()).recordsOf(directory);
    });
  }

  /** Every repository, in byte order. */
  async names(): Promise<SortedNames> {
    if (this.isShared) {
      const names = new SortedNames();
      const layout = await this.layoutOf('');
      for (const name of layout.repositories.keys()) names.add(name);
      return names;
    }
    return this.#lock === undefined ? this.#names.recent() : this.#names.all();
  }

  async noteRepository(name: string, exists: boolean): Promise<void> {
    if (!this.isShared) await this.#names.note(name, exists);
  }

  /** Writes what is to be written, and lets somebody else write from now on. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#idle);
    this.#end.abort(closed());
    await this.#owning?.catch(() => undefined);
    try {
      await this.#nextFold?.catch(() => undefined);
      await this.#folding?.catch(() => undefined);
      await this.#fold();
      // The second time only for what somebody was just writing.
      await this.#fold();
    } finally {
      for (const opening of this.#layouts.all()) (await opening.catch(() => undefined))?.release();
      await this.#journal?.close();
      await this.#letGo();
    }
  }

  async #letGo(): Promise<void> {
    const lock = this.#lock;
    if (lock === undefined) return;
    if (lock.isOwned) await this.#ownership?.end();
    await lock.release();
  }
}

const nothing: Outcome = { apply: () => undefined, undo: () => undefined };

function closed(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry has been closed');
}

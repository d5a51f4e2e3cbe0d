import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { UploadIds } from '../../model/index.ts';
import { createUploadIds, isRepository, RegistryError } from '../../model/index.ts';
import { SortedNames } from '../repository/index.ts';

import { entriesOf, Files, isMissing, isTemporary } from './files.ts';
import type { Durability } from './files.ts';
import { Journal, journalGenerations, quarantine, readJournal, truncateJournal } from './journal.ts';
import type { JournalRecord } from './journal.ts';
import { identityOf } from './index-file.ts';
import { Layout } from './layout.ts';
import type { Warn } from './layout.ts';
import { RootLock } from './lock.ts';
import { directoryOf, repositoryOf, sharedNames, singleNames } from './names.ts';

export interface StoreOptions {
  root: string;
  /** One layout for all repositories, or one for each. */
  isShared: boolean;
  defaultRepository: string | undefined;
  durability: Durability;
  warn: Warn;
}

/** The journal is folded when it is larger than this, and larger than a quarter of the indexes that it extends. */
const smallestFold = 1024 * 1024;
const idleFold = 30_000;
const maxOpenLayouts = 128;
const entrySize = 200;

/**
 * A root directory: its layouts, the journal that extends their indexes, and the right to write to it.
 *
 * Reading needs no lock. What another process writes is seen when a layout is opened again.
 */
export class LayoutStore {
  readonly root: string;
  readonly isShared: boolean;
  readonly files: Files;
  readonly warn: Warn;
  readonly #options: StoreOptions;
  readonly #private: string;
  /** Those that are kept open, in the order of their last use. */
  readonly #layouts = new Map<string, Promise<Layout>>();
  /** All that anybody still holds: there are never two of one directory, or what one is told the other would lose. */
  #held = new Map<string, WeakRef<Layout>>();
  #opened: { key: string; journals: Promise<Opened> } | undefined;
  #journal: Journal | undefined;
  #lock: RootLock | undefined;
  #owning: Promise<void> | undefined;
  #ids: UploadIds | undefined;
  #folding: Promise<void> | undefined;
  #nextFold: Promise<void> | undefined;
  /** Generations that a fold has frozen and not removed yet, oldest first. */
  readonly #frozen: number[] = [];
  #idle: ReturnType<typeof setTimeout> | undefined;
  #names: Promise<SortedNames> | undefined;
  /** Directories of layouts that the journal's current generation extends. */
  readonly #based = new Set<string>();
  #closing: Promise<void> | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.root = options.root;
    this.isShared = options.isShared;
    this.files = new Files(options.durability);
    this.warn = options.warn;
    this.#private = join(options.root, '.ocikit');
  }

  get uploadsDirectory(): string {
    return join(this.#private, 'uploads');
  }

  get temporaryDirectory(): string {
    return join(this.#private, 'tmp');
  }

  temporaryPath(): string {
    return join(this.temporaryDirectory, randomBytes(16).toString('hex'));
  }

  /** The layout that holds a repository, as far as it exists. */
  async layoutOf(repository: string): Promise<Layout> {
    const directory = this.isShared ? '' : directoryOf(repository);
    const found = this.#layouts.get(directory);
    if (found !== undefined) {
      // Deleted and set again, it is the one that was used last.
      this.#layouts.delete(directory);
      this.#layouts.set(directory, found);
      return found;
    }
    const opening = this.#openLayout(directory);
    this.#layouts.set(directory, opening);
    opening.catch(() => {
      if (this.#layouts.get(directory) === opening) this.#layouts.delete(directory);
    });
    const layout = await opening;
    this.#evict();
    return layout;
  }

  async #openLayout(directory: string): Promise<Layout> {
    const held = this.#held.get(directory)?.deref();
    if (held !== undefined) return held;
    // Another map, once this process has become the one that writes.
    const holders = this.#held;
    const { files, root, isShared, warn } = this;
    const names = isShared ? sharedNames(this.#options.defaultRepository) : singleNames(repositoryOf(directory));
    const snapshots = join(this.#private, 'snapshots');
    const layout = new Layout({ root, directory, names, files, snapshots, isShared, warn });
    const index = join(layout.path, 'index.json');
    for (;;) {
      const before = await identityOf(index);
      const journals = await this.#open();
      await layout.load();
      // Whoever writes here may have folded between the two looks.
      if (this.#journal === undefined && (await identityOf(index)) !== before) continue;
      journals.replay(layout, warn);
      break;
    }
    holders.set(directory, new WeakRef(layout));
    return layout;
  }

  /** What the journals of other processes say. Once this one writes, they have been folded. */
  async #open(): Promise<Opened> {
    if (this.#journal !== undefined && this.#opened !== undefined) return this.#opened.journals;
    const key = await journalsKey(this.#private);
    if (this.#opened?.key !== key) {
      const opened = { key, journals: readJournals(this.#private, this.isShared, this.warn) };
      this.#opened = opened;
      // Who comes next tries again.
      opened.journals.catch(() => {
        if (this.#opened === opened) this.#opened = undefined;
      });
      return opened.journals;
    }
    return this.#opened.journals;
  }

  #evict(): void {
    if (this.#layouts.size <= maxOpenLayouts) return;
    for (const directory of this.#layouts.keys()) {
      const layout = this.#held.get(directory)?.deref();
      // One that is being opened is in use; of one that is only read, what is on the disk is not behind.
      if (layout === undefined || (this.#journal !== undefined && layout.isDirty)) continue;
      this.#layouts.delete(directory);
      if (this.#layouts.size <= maxOpenLayouts) break;
    }
    for (const [directory, held] of this.#held) if (held.deref() === undefined) this.#held.delete(directory);
    // All of them wait to be written.
    if (this.#layouts.size > maxOpenLayouts) this.#foldNow();
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
    const lock = await RootLock.acquire(this.#private);
    try {
      this.#lock = lock;
      const assertOwned = (): void => lock.assertOwned();
      // What was read before the lock was ours may have changed until it was.
      this.#layouts.clear();
      this.#held = new Map();
      this.#names = undefined;
      this.#opened = undefined;
      const opened = await this.#open();
      for (const { generation, damaged } of opened.damaged) {
        const file = await quarantine(this.#private, generation, damaged);
        this.warn('records of a journal cannot be read, and have been put aside', { file });
      }
      const last = opened.generations.at(-1) ?? 0;
      const journal = new Journal(this.#private, this.files, last + 1, assertOwned);
      await this.#removeLeftovers();
      this.#ids = createUploadIds(await this.#readKey());
      if (opened.lastLength > 0) await truncateJournal(this.#private, last, opened.lastLength);
      for (const directory of opened.directories) {
        const layout = await this.layoutOf(this.isShared ? '' : repositoryOf(directory));
        if (!layout.isDirty) continue;
        lock.assertOwned();
        await layout.fold(async (sha256) => {
          if (opened.lastLength > 0) await journal.appendTo(last, { op: 'folded', directory, sha256 });
        });
      }
      this.#opened = { key: '', journals: Promise.resolve(nothingOpened) };
      this.#journal = journal;
      for (const generation of opened.generations) await journal.remove(generation);
    } catch (error) {
      this.#lock = undefined;
      this.#journal = undefined;
      this.#opened = undefined;
      await lock.release();
      throw error;
    }
  }

  /** What a crash left that nobody can want any more. Uploads stay. */
  async #removeLeftovers(): Promise<void> {
    await rm(this.temporaryDirectory, { recursive: true, force: true });
    this.files.forgetDirectory(this.temporaryDirectory);
    for (const dir of [this.#private, join(this.#private, 'snapshots')]) {
      for (const name of await readdir(dir).catch(() => [])) {
        if (isTemporary(name)) await rm(join(dir, name), { force: true });
      }
    }
  }

  async #readKey(): Promise<Uint8Array> {
    const path = join(this.#private, 'key');
    try {
      const key = await readFile(path);
      if (key.length === 32) return key;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    const key = randomBytes(32);
    await this.files.replace(path, [key]);
    return key;
  }

  /** Ids of uploads, which stay good when the process is started again. */
  async ids(): Promise<UploadIds> {
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

  /** Makes records of one layout durable, and then visible, all or none. */
  async commit(layout: Layout, records: readonly JournalRecord[]): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined || this.#closing !== undefined) throw closed();
    // Nothing waits until they are queued: what the caller has seen still holds.
    const settle = layout.queue(records);
    const base: JournalRecord[] = this.#based.has(layout.directory)
      ? []
      : [{ op: 'base', directory: layout.directory, sha256: layout.sha256 }];
    this.#based.add(layout.directory);
    try {
      await journal.append([...base, ...records], {
        apply: () => {
          for (const record of records) layout.apply(record);
          settle();
          this.#keepOpen(layout);
          this.#noteNames(layout, records);
        },
        undo: settle,
      });
    } catch (error) {
      this.#based.delete(layout.directory);
      if (journal.isBroken) this.#foldNow();
      throw error;
    }
    this.#foldSoon(journal.length, layout);
  }

  /** It has something to be written now. */
  #keepOpen(layout: Layout): void {
    if (!this.#layouts.has(layout.directory)) this.#layouts.set(layout.directory, Promise.resolve(layout));
  }

  #noteNames(layout: Layout, records: readonly JournalRecord[]): void {
    if (this.#names === undefined) return;
    for (const record of records) {
      if (!('repository' in record)) continue;
      const { repository } = record;
      const exists = layout.repositories.has(repository);
      void this.#names.then(
        (names) => (exists ? names.add(repository) : undefined),
        () => undefined,
      );
    }
  }

  #foldSoon(journalLength: number, layout: Layout): void {
    if (journalLength > Math.max(smallestFold, (layout.size * entrySize) / 4)) {
      this.#foldNow();
      return;
    }
    clearTimeout(this.#idle);
    if (this.#closing !== undefined) return;
    this.#idle = setTimeout(() => this.#foldNow(), idleFold);
    this.#idle.unref();
  }

  /** Nobody waits for it; if it fails, the journal still has everything. */
  #foldNow(): void {
    if (this.#folding !== undefined || this.#closing !== undefined) return;
    this.fold().catch((error: unknown) => this.warn('the index could not be written', { error }));
  }

  /** Writes every index that the journal extends, and begins a new journal. */
  fold(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
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
    if (frozen === undefined) return;
    // As they are now: one that is used meanwhile changes its place.
    const layouts = [...this.#layouts.values()];
    for (const opening of layouts) {
      const layout = await opening.catch(() => undefined);
      if (layout?.isDirty !== true) continue;
      this.#lock?.assertOwned();
      if (await layout.mergeIfEdited()) {
        this.warn('somebody else has edited an index: both changes are kept', { directory: layout.path });
      }
      await layout.fold(async (sha256) => {
        const { directory } = layout;
        await journal.appendTo(frozen, { op: 'folded', directory, sha256 });
        // What has come meanwhile extends the index that is written now.
        if (this.#based.has(directory)) {
          await journal.append([{ op: 'base', directory, sha256 }], { apply: () => undefined, undo: () => undefined });
        }
      });
    }
    for (let oldest = this.#frozen[0]; oldest !== undefined; oldest = this.#frozen[0]) {
      await journal.remove(oldest);
      this.#frozen.shift();
    }
  }

  /** Every repository, in byte order. */
  async names(): Promise<SortedNames> {
    if (this.isShared) {
      const names = new SortedNames();
      const layout = await this.layoutOf('');
      for (const name of layout.repositories.keys()) names.add(name);
      return names;
    }
    this.#names ??= this.#findNames().catch((error: unknown) => {
      this.#names = undefined;
      throw error;
    });
    return this.#names;
  }

  async #findNames(): Promise<SortedNames> {
    const names = new SortedNames();
    const walk = async (directory: string): Promise<void> => {
      const entries = await entriesOf(join(this.root, directory));
      const repository = repositoryOf(directory);
      const isOne = isRepository(repository) && directoryOf(repository) === directory;
      if (isOne && entries.some(({ name }) => name === 'index.json' || name === 'blobs')) names.add(repository);
      for (const entry of entries) {
        if (!entry.isDirectory() || entry.name === 'blobs' || entry.name.startsWith('.')) continue;
        await walk(directory === '' ? entry.name : `${directory}/${entry.name}`);
      }
    };
    await walk('');
    return names;
  }

  async noteRepository(name: string, exists: boolean): Promise<void> {
    if (this.isShared) return;
    // If nobody has looked, or the look fails, the next one finds it on the disk.
    const names = await this.#names?.catch(() => undefined);
    if (names === undefined) return;
    if (exists) names.add(name);
    else names.delete(name);
  }

  /** Writes what is to be written, and lets somebody else write from now on. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#owning?.catch(() => undefined);
    try {
      await this.#nextFold?.catch(() => undefined);
      await this.#folding?.catch(() => undefined);
      await this.#fold();
    } finally {
      await this.#journal?.close();
      await this.#lock?.release();
    }
  }
}

function closed(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry has been closed');
}

/** The journals that were there when the root was opened. */
interface Opened {
  generations: readonly number[];
  directories: ReadonlySet<string>;
  damaged: readonly { generation: number; damaged: Buffer[] }[];
  /** Bytes of the newest journal up to the end of its last good record. */
  lastLength: number;
  /** Puts on top of an index what it does not have yet. */
  replay(layout: Layout, warn: Warn): void;
}

const nothingOpened: Opened = {
  generations: [],
  directories: new Set(),
  damaged: [],
  lastLength: 0,
  replay: () => undefined,
};

/** Differs when something has been written to the journals. */
async function journalsKey(dir: string): Promise<string> {
  const generations = await journalGenerations(dir);
  const sizes = generations.map((generation) =>
    stat(join(dir, `journal-${generation}`)).then(
      ({ size, ino }) => `${generation} ${ino} ${size}`,
      () => '',
    ),
  );
  return `journals ${(await Promise.all(sizes)).join(', ')}`;
}

async function readJournals(dir: string, isShared: boolean, warn: Warn): Promise<Opened> {
  const generations = await journalGenerations(dir);
  if (generations.length === 0) return nothingOpened;
  const damaged: { generation: number; damaged: Buffer[] }[] = [];
  const byDirectory = new Map<string, JournalRecord[]>();
  let lastLength = 0;
  for (const generation of generations) {
    const journal = await readJournal(dir, generation).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    lastLength = journal?.length ?? 0;
    if (journal === undefined) continue;
    if (journal.damaged.length > 0) damaged.push({ generation, damaged: journal.damaged });
    for (const record of journal.records.flat()) {
      const directory =
        record.op === 'base' || record.op === 'folded'
          ? record.directory
          : isShared
            ? ''
            : directoryOf(record.repository);
      const list = byDirectory.get(directory);
      if (list === undefined) byDirectory.set(directory, [record]);
      else list.push(record);
    }
  }
  if (damaged.length > 0) warn('a journal has damaged records', { directory: dir, generations });
  return {
    generations,
    directories: new Set(byDirectory.keys()),
    damaged,
    lastLength,
    replay: (layout) => replay(layout, byDirectory.get(layout.directory) ?? [], warn),
  };
}

function replay(layout: Layout, records: readonly JournalRecord[], warn: Warn): void {
  const known = new Set<string>();
  let from = 0;
  for (const [i, record] of records.entries()) {
    if (record.op !== 'base' && record.op !== 'folded') continue;
    known.add(record.sha256);
    // The index has everything up to here.
    if (record.op === 'folded' && record.sha256 === layout.sha256) from = i + 1;
  }
  if (records.length > 0 && !known.has(layout.sha256)) {
    warn('somebody else has edited an index: what was pushed here is kept', { directory: layout.path });
  }
  for (const record of records.slice(from)) layout.apply(record);
}

// Small files whose bytes are durable only in the journal so far.
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { isMissing } from '../../disk/index.ts';
import type { Digest } from '../../../model/index.ts';

import { isFileOf } from '../files/index.ts';
import type { Files, PrivateDirectory } from '../files/index.ts';

import { readContent } from './journal-file.ts';
import type { JournalPlace } from './journal-file.ts';

/** A small file whose bytes a journal has. */
export interface JournalledFile extends JournalPlace {
  /** The path of the file. */
  path: string;
  /** The layout's directory below the root. */
  directory: string;
  /** The digest of its bytes. */
  digest: Digest;
  /** In bytes. */
  size: number;
  /** The mask of its bytes in the journal. */
  mask: number;
  /** True when its bytes are durable. */
  isSynced?: boolean;
  /** True when its name is durable as well: the journal is no longer needed for the file. */
  isDurable?: boolean;
}

/**
 * Limits of files and bytes that may wait: about half a minute of pushes, after which the kernel writes them by
 * itself. Beyond that the disk is too slow, and each new file is synced at once.
 */
const mostFiles = 65_536;
const mostBytes = 128 * 1024 * 1024;
/** From this part of the limits on, the journal is folded to settle the files. */
const dueFullness = 0.125;
/** From this part of the limits on, settling no longer pauses. */
const urgentFullness = 0.75;
/** Milliseconds between two syncs while clients push. The pause gets shorter as more files wait. */
const longestPause = 20;
/** Concurrent syncs. Requests need the same threads. */
const concurrency = 3;

/**
 * Small files that the journal makes durable. A push waits only for the journal, one sync for all pushes that wait.
 * The files are synced later; most have reached the disk by then.
 */
export class UnsettledContent {
  readonly #private: PrivateDirectory;
  readonly #files: Files;
  readonly #unsettled = new Map<string, JournalledFile>();
  /** The same by the layout's directory: a fold asks for the files of one layout. */
  readonly #byDirectory = new Map<string, Set<JournalledFile>>();
  /** Files and bytes that are not synced yet. */
  readonly #waiting = { files: 0, bytes: 0 };
  #settling: Promise<void> = Promise.resolve();

  constructor(directory: PrivateDirectory, files: Files) {
    this.#private = directory;
    this.#files = files;
  }

  /** True if so many files wait that the journal should be folded. */
  get isDue(): boolean {
    return this.#fullness >= dueFullness;
  }

  /** True if no more files may wait. */
  get isFull(): boolean {
    return this.#fullness >= 1;
  }

  get #fullness(): number {
    return Math.max(this.#waiting.files / mostFiles, this.#waiting.bytes / mostBytes);
  }

  /** True if a file needs the journal. */
  has(path: string): boolean {
    return this.#unsettled.has(path);
  }

  /** Adds a file that was just written. */
  add(file: JournalledFile): void {
    this.forget(file.path);
    this.#unsettled.set(file.path, file);
    const siblings = this.#byDirectory.get(file.directory);
    if (siblings === undefined) this.#byDirectory.set(file.directory, new Set([file]));
    else siblings.add(file);
    this.#waiting.files++;
    this.#waiting.bytes += file.size;
  }

  /** Forgets a file that was removed. */
  forget(path: string): void {
    const file = this.#unsettled.get(path);
    if (file === undefined) return;
    this.#unsettled.delete(path);
    const siblings = this.#byDirectory.get(file.directory);
    siblings?.delete(file);
    if (siblings?.size === 0) this.#byDirectory.delete(file.directory);
    this.#noteSynced(file);
  }

  #noteSynced(file: JournalledFile): void {
    if (file.isSynced === true) return;
    file.isSynced = true;
    this.#waiting.files--;
    this.#waiting.bytes -= file.size;
  }

  /** Syncs files, so that {@link forgetAll} can be called for them. Calls run one after another. */
  settle(files: readonly JournalledFile[]): Promise<void> {
    const before = this.#settling.catch(() => undefined);
    this.#settling = before.then(() => this.#settleAll(files));
    return this.#settling;
  }

  /** The files that need the journal, one layout after another. */
  all(): JournalledFile[] {
    const all: JournalledFile[] = [];
    for (const files of this.#byDirectory.values()) for (const file of files) all.push(file);
    return all;
  }

  /** The files of one layout that need the journal. */
  filesOf(directory: string): JournalledFile[] {
    return [...(this.#byDirectory.get(directory) ?? [])];
  }

  /** Forgets settled files. A file that was written again meanwhile stays. */
  forgetAll(files: readonly JournalledFile[]): void {
    for (const file of files) if (this.#unsettled.get(file.path) === file) this.forget(file.path);
  }

  /** Syncs one file before a caller relies on it without the journal. */
  async settleOne(path: string): Promise<void> {
    const file = this.#unsettled.get(path);
    if (file === undefined) return;
    await this.#sync(file);
    await this.#files.syncDirectory(dirname(path));
  }

  async #settleAll(files: readonly JournalledFile[]): Promise<void> {
    const directories = new Set<string>();
    const left = files.filter(({ isDurable }) => isDurable !== true).values();
    const sync = async (): Promise<void> => {
      for (const file of left) {
        directories.add(dirname(file.path));
        if (file.isSynced === true) continue;
        await this.#sync(file);
        this.#noteSynced(file);
        await this.#files.throttle.pause(longestPause * (1 - this.#fullness / urgentFullness));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, sync));
    for (const directory of directories) {
      await this.#files.syncDirectoryOf(join(directory, 'any'));
      // The directory may have been created with the file.
      await this.#files.syncDirectoryOf(directory);
    }
    for (const file of files) file.isDurable = true;
  }

  async #sync(file: JournalledFile): Promise<void> {
    try {
      await this.#files.syncPath(file.path);
    } catch (error) {
      // The file was removed meanwhile.
      if (isMissing(error)) return;
      // The kernel may have dropped unwritten pages, and a second sync would wrongly succeed: write the file again.
      await this.#write(file, this.#bytesOf(file), () => this.has(file.path));
    }
  }

  /**
   * Restores a file from the journal after a crash. The file may be empty or have zeros; if it has its bytes, they
   * may not be durable yet.
   */
  async recover(file: JournalledFile): Promise<void> {
    const bytes = this.#bytesOf(file);
    if (isFileOf(file.path, bytes)) this.add(file);
    else await this.#write(file, bytes, () => true);
  }

  #bytesOf(file: JournalledFile): Uint8Array {
    const bytes = readContent(this.#private.path, file);
    if (bytes === undefined) throw new Error(`journal-${file.generation} does not have the bytes of ${file.path}`);
    return bytes;
  }

  /**
   * Writes a file durably. The temporary file is not beside the blobs: a crash must leave nothing there.
   *
   * @param isWanted asked in the same step as the rename: the file may have been removed meanwhile
   */
  async #write({ path }: JournalledFile, bytes: Uint8Array, isWanted: () => boolean): Promise<void> {
    const temporary = this.#private.temporaryPath();
    await this.#files.makeDirectory(dirname(path));
    await this.#files.writeSmall(temporary, [bytes], 'durably');
    if (isWanted()) await this.#files.moveInto(temporary, path);
    else await rm(temporary, { force: true });
  }
}

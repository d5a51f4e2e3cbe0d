import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Digest } from '../../../model/index.ts';

import { isFileOf, isMissing } from '../files/index.ts';
import type { Files, PrivateDirectory } from '../files/index.ts';

import { readContent } from './journal-file.ts';
import type { JournalPlace } from './journal-file.ts';

/** A file whose bytes a journal has. */
export interface JournalledFile extends JournalPlace {
  path: string;
  directory: string;
  digest: Digest;
  size: number;
  mask: number;
  /** Set when its bytes are durable. */
  isSynced?: boolean;
  /** Set when its name is as well: the journal need not answer for it any more. */
  isDurable?: boolean;
}

/**
 * As many files, or bytes of them, as may wait: what comes in the half a minute until the kernel writes them by itself. Beyond that,
 * new ones have to be durable at once: the disk does not keep up.
 */
const mostFiles = 65_536;
const mostBytes = 128 * 1024 * 1024;
/** From this part of that on, the journal is folded for their sake. */
const dueFullness = 0.125;
/** From this part of it on, that does not rest. */
const urgentFullness = 0.75;
/** Milliseconds between two synchronisations as long as somebody pushes: fewer, the more there are to do. */
const longestPause = 20;
/** Synchronisations at a time: requests wait for the same threads. */
const concurrency = 3;

/**
 * Small files that the journal answers for: who pushes them waits for the journal, once for all that wait, and the files
 * follow. Most have reached the disk by themselves when they are synchronised.
 */
export class UnsettledContent {
  readonly #private: PrivateDirectory;
  readonly #files: Files;
  readonly #unsettled = new Map<string, JournalledFile>();
  /** Of those whose bytes are not durable. */
  readonly #waiting = { files: 0, bytes: 0 };
  #settling: Promise<void> = Promise.resolve();

  constructor(directory: PrivateDirectory, files: Files) {
    this.#private = directory;
    this.#files = files;
  }

  get isDue(): boolean {
    return this.#fullness >= dueFullness;
  }

  get isFull(): boolean {
    return this.#fullness >= 1;
  }

  get #fullness(): number {
    return Math.max(this.#waiting.files / mostFiles, this.#waiting.bytes / mostBytes);
  }

  has(path: string): boolean {
    return this.#unsettled.has(path);
  }

  add(file: JournalledFile): void {
    this.forget(file.path);
    this.#unsettled.set(file.path, file);
    this.#waiting.files++;
    this.#waiting.bytes += file.size;
  }

  forget(path: string): void {
    const file = this.#unsettled.get(path);
    if (file === undefined) return;
    this.#unsettled.delete(path);
    this.#noteSynced(file);
  }

  #noteSynced(file: JournalledFile): void {
    if (file.isSynced === true) return;
    file.isSynced = true;
    this.#waiting.files--;
    this.#waiting.bytes -= file.size;
  }

  /** Makes files durable, and can be told to {@link forgetAll} them then. One after another, if it is called again. */
  settle(files: readonly JournalledFile[]): Promise<void> {
    const before = this.#settling.catch(() => undefined);
    this.#settling = before.then(() => this.#settleAll(files));
    return this.#settling;
  }

  /** Those that nothing but the journal answers for. */
  all(): JournalledFile[] {
    return [...this.#unsettled.values()];
  }

  /** One that was written again meanwhile stays. */
  forgetAll(files: readonly JournalledFile[]): void {
    for (const file of files) if (this.#unsettled.get(file.path) === file) this.forget(file.path);
  }

  /** Makes one file durable, which somebody wants to rely on without the journal. */
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
      // It may have been made with the file.
      await this.#files.syncDirectoryOf(directory);
    }
    for (const file of files) file.isDurable = true;
  }

  async #sync(file: JournalledFile): Promise<void> {
    try {
      await this.#files.syncPath(file.path);
    } catch (error) {
      // Nobody needs it any more.
      if (isMissing(error)) return;
      // The kernel may have dropped what it could not write, and a second time it would say that all is well.
      await this.#write(file, this.#bytesOf(file), () => this.has(file.path));
    }
  }

  /**
   * After a crash: makes a file be what the journal says of it. It may be empty, or have zeros where its bytes should be;
   * and if it has them, they may not be durable yet.
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
   * Durably. Not beside the blobs: whoever is killed in the middle must leave nothing there.
   *
   * @param isWanted asked in the same step in which it gets its name: somebody may have removed the file
   */
  async #write({ path }: JournalledFile, bytes: Uint8Array, isWanted: () => boolean): Promise<void> {
    const temporary = this.#private.temporaryPath();
    await this.#files.makeDirectory(dirname(path));
    await this.#files.writeSmall(temporary, [bytes], 'durably');
    if (isWanted()) await this.#files.moveInto(temporary, path);
    else await rm(temporary, { force: true });
  }
}

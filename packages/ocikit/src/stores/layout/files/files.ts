// Writing files durably and atomically: each file has its old content or its new one, never a part.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fdatasync,
  fsync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { chmod, mkdir, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { RegistryError } from '../../../model/index.ts';

import { hasCode, isMissing } from '../../disk/index.ts';

import { formatIdentity, noFollow } from './reading.ts';
import { Throttle } from './throttle.ts';

/** Flags for creating a file. A file that a failed attempt left is overwritten. */
const anew = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Modes, less the process's umask. Other tools may read a layout. */
const publicDirectory = 0o755;
const publicFile = 0o644;
/** Modes of what only ocikit reads: the key of upload ids, and content that may not be readable for each user. */
const privateDirectory = 0o700;
const privateFile = 0o600;
/** Milliseconds. Small synchronous writes may block the event loop for this long. */
const longestBlock = 10;

const syncAll = promisify(fsync);
const syncContent = promisify(fdatasync);

/** `fsync`: acknowledged content survives a loss of power. `none`: it survives the end of the process. */
export type Durability = 'fsync' | 'none';

/**
 * Writes files so that they are complete or absent. Each step is a method of its own, so that a test can stop between
 * any two.
 */
export class Files {
  /** How durable acknowledged content is. */
  readonly durability: Durability;
  readonly #ownDirectory: string | undefined;
  /** The mode of files that become blobs. */
  readonly #blobMode = publicFile & ~process.umask();
  #isAlwaysDurable = false;
  /** Slows background work down while clients push. */
  readonly throttle: Throttle = new Throttle();
  /** When timers and sockets last had their turn, by `performance.now()`. */
  #yieldedAt = performance.now();
  /** Directories that are known to exist. */
  readonly #made = new Set<string>();
  /** Directory synchronisations that have not begun yet, by directory. Callers that arrive until then share one. */
  readonly #waiting = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();

  /** @param ownDirectory only this user may read it and everything in it */
  constructor(durability: Durability, ownDirectory?: string) {
    this.durability = durability;
    this.#ownDirectory = ownDirectory;
  }

  #isOwn(path: string): boolean {
    const own = this.#ownDirectory;
    return own !== undefined && path.startsWith(own) && (path.length === own.length || path.startsWith(`${own}/`));
  }

  get #isDurable(): boolean {
    return this.durability === 'fsync' || this.#isAlwaysDurable;
  }

  /** Syncs everything while `run` is running: content that an earlier process made durable must stay durable. */
  async whileAlwaysDurable(run: () => Promise<void>): Promise<void> {
    this.#isAlwaysDurable = true;
    try {
      await run();
    } finally {
      this.#isAlwaysDurable = false;
    }
  }

  /** Makes the content of an open file durable. */
  async syncData(handle: FileHandle): Promise<void> {
    if (this.#isDurable) await handle.datasync();
  }

  /** Makes the content of a file durable that was written by {@link writeSmall}. */
  async syncPath(path: string): Promise<void> {
    if (!this.#isDurable) return;
    const file = openSync(path, noFollow);
    try {
      await syncContent(file);
    } finally {
      closeSync(file);
    }
  }

  /** Makes the names in a directory durable. */
  syncDirectory(dir: string): Promise<void> {
    if (!this.#isDurable) return Promise.resolve();
    const waiting = this.#waiting.get(dir);
    if (waiting !== undefined) return waiting;
    const before = this.#running.get(dir) ?? Promise.resolve();
    const begin = async (): Promise<void> => {
      await before.catch(() => undefined);
      this.#waiting.delete(dir);
      this.#running.set(dir, next);
      try {
        const file = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
        try {
          await syncAll(file);
        } finally {
          closeSync(file);
        }
      } finally {
        if (this.#running.get(dir) === next) this.#running.delete(dir);
      }
    };
    const next = begin();
    this.#waiting.set(dir, next);
    return next;
  }

  /** Makes the removal of a name durable. */
  async syncDirectoryOf(path: string): Promise<void> {
    await this.syncDirectory(dirname(path)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }

  /** Makes a directory with those above it, durably. */
  async makeDirectory(dir: string): Promise<void> {
    if (this.#made.has(dir)) return;
    let first: string | undefined;
    try {
      first = await mkdir(dir, { recursive: true, mode: publicDirectory });
    } catch (cause) {
      if (hasCode(cause, 'EACCES', 'EPERM', 'ELOOP')) {
        throw new RegistryError('UNAVAILABLE', `${dir} cannot be made: ${String(cause)}`, { cause });
      }
      if (!hasCode(cause, 'EEXIST', 'ENOTDIR')) throw cause;
      throw new RegistryError('UNAVAILABLE', `${dir} cannot be made, remove what is in its place: ${String(cause)}`, {
        cause,
      });
    }
    if (first !== undefined) {
      for (let at = dir; ; at = dirname(at)) {
        if (this.#isOwn(at)) await chmod(at, privateDirectory);
        await this.syncDirectory(dirname(at));
        if (at === first) break;
      }
    }
    this.#made.add(dir);
  }

  /** Forgets that a directory, and those below it, exist. */
  forgetDirectory(dir: string): void {
    for (const made of this.#made) if (made === dir || made.startsWith(`${dir}/`)) this.#made.delete(made);
  }

  /**
   * Renames a file, replacing a file that had the new name, and makes the name durable.
   *
   * @param onMoved called after the rename, when the name may not be durable yet
   */
  async moveInto(from: string, to: string, onMoved?: () => void): Promise<void> {
    const directory = dirname(to);
    if (!this.#made.has(directory)) await this.makeDirectory(directory);
    try {
      renameSync(from, to);
    } catch (error) {
      if (!isMissing(error)) throw cannotReplace(to, error);
      // Another process removed the directory because it was empty.
      this.forgetDirectory(directory);
      await this.makeDirectory(directory);
      renameSync(from, to);
    }
    onMoved?.();
    await this.syncDirectory(directory);
  }

  /** Renames a file at once. Neither the name nor a directory that had to be made is durable. */
  moveNow(from: string, to: string): void {
    try {
      renameSync(from, to);
    } catch (error) {
      if (!isMissing(error)) throw cannotReplace(to, error);
      // Another process removed the directory because it was empty.
      mkdirSync(dirname(to), { recursive: true, mode: publicDirectory });
      renameSync(from, to);
    }
  }

  /** True if this process has made the directory, or found it. Another process may have removed it since. */
  hasMade(directory: string): boolean {
    return this.#made.has(directory);
  }

  /**
   * Writes a small new file that will become a blob, at once. Neither the file nor a directory that had to be made is
   * durable.
   */
  writeNow(path: string, bytes: Uint8Array): void {
    const file = this.#openNow(path);
    try {
      writeAll(file, bytes);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
  }

  #openNow(path: string): number {
    try {
      return openSync(path, anew, publicFile);
    } catch (error) {
      if (!isMissing(error)) throw cannotReplace(path, error);
      const mode = this.#isOwn(path) ? privateDirectory : publicDirectory;
      mkdirSync(dirname(path), { recursive: true, mode });
      return openSync(path, anew, publicFile);
    }
  }

  /** Gives a file the mode of a blob, which other tools may read. */
  publish(path: string): void {
    chmodSync(path, this.#blobMode);
  }

  /** The opposite of {@link publish}. */
  hide(path: string): void {
    chmodSync(path, privateFile);
  }

  /**
   * Writes a small new file synchronously: with a thread for each call it would take ten times as long.
   *
   * @param how `durably`: synced. `hidden`: only this user may read it
   */
  async writeSmall(path: string, pieces: readonly Uint8Array[], how?: 'durably' | 'hidden'): Promise<void> {
    const file = await this.#openNew(path, how === 'hidden' ? privateFile : publicFile);
    try {
      for (const piece of pieces) writeAll(file, piece);
      if (how === 'durably' && this.#isDurable) await syncContent(file);
    } finally {
      closeSync(file);
    }
    await this.yieldIfDue();
  }

  /**
   * Writing one small file after another without waiting would starve timers and sockets.
   *
   * @returns undefined if there is no need to wait: a promise costs a part of a small file
   */
  yieldIfDue(): Promise<void> | undefined {
    return performance.now() - this.#yieldedAt < longestBlock ? undefined : this.#yield();
  }

  async #yield(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#yieldedAt = performance.now();
  }

  async #openNew(path: string, mode: number): Promise<number> {
    await this.makeDirectory(dirname(path));
    try {
      return openSync(path, anew, mode);
    } catch (error) {
      if (!isMissing(error)) throw cannotReplace(path, error);
      // Another process removed the directory.
      this.forgetDirectory(dirname(path));
      await this.makeDirectory(dirname(path));
      return openSync(path, anew, mode);
    }
  }

  async #create(path: string): Promise<FileHandle> {
    const mode = this.#isOwn(path) ? privateFile : publicFile;
    try {
      return await open(path, 'wx', mode);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Another process removed the directory.
      this.forgetDirectory(dirname(path));
      await this.makeDirectory(dirname(path));
      return open(path, 'wx', mode);
    }
  }

  /**
   * Replaces a whole file in one step: readers see its old content or its new one.
   *
   * @returns the {@link identityOf} the new file, even if another process has changed it since; undefined if
   *   `isWanted` said no
   */
  async replace(
    path: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { prepare, isWanted, onReplaced }: Replacing = {},
  ): Promise<string | undefined> {
    await this.makeDirectory(dirname(path));
    const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}.tmp`);
    try {
      const handle = await this.#create(temporary);
      try {
        for await (const piece of this.throttle.withPauses(content)) await handle.writeFile(piece);
        await this.syncData(handle);
      } finally {
        await handle.close();
      }
      await prepare?.();
      // From here to the rename nothing waits.
      const { ino, size, mtimeNs } = statSync(temporary, { bigint: true });
      if (isWanted?.() === false) {
        await rm(temporary, { force: true });
        return undefined;
      }
      try {
        renameSync(temporary, path);
      } catch (error) {
        throw cannotReplace(path, error);
      }
      const there = statSync(path, { bigint: true, throwIfNoEntry: false });
      const identity = formatIdentity({ ino, size, mtimeNs, ctimeNs: there?.ctimeNs ?? 0n });
      onReplaced?.(identity);
      await this.syncDirectory(dirname(path));
      return identity;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at);
}

/** Hooks that run before a file replaces another one. */
export interface Replacing {
  /** Runs when the new content is durable. */
  prepare?: () => Promise<void>;
  /** Asked in the same synchronous step as the rename, so that no other code of this process runs in between. */
  isWanted?: () => boolean;
  /** Called in the same step as the rename, with the {@link identityOf} the new file. */
  onReplaced?: (identity: string) => void;
}

/** The error for something in place of a file that a file cannot replace, such as a directory. */
function cannotReplace(path: string, cause: unknown): unknown {
  if (!hasCode(cause, 'EISDIR', 'EEXIST', 'ENOTEMPTY', 'ELOOP', 'ENXIO')) return cause;
  return new RegistryError('UNAVAILABLE', `${path} cannot be written, remove what is in its place: ${String(cause)}`, {
    cause,
  });
}

const temporaryName = /^\.[0-9a-f]{16}\.tmp$/;

/** True for the names that {@link Files.replace} gives to unfinished files. */
export function isTemporaryName(name: string): boolean {
  return temporaryName.test(name);
}

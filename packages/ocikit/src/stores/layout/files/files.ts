import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasync,
  fsync,
  lstatSync,
  mkdirSync,
  openSync,
  opendirSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { RegistryError } from '../../../model/index.ts';

import { Throttle } from './throttle.ts';

/** What an attempt that failed left is nobody's. */
const anew = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
/** Milliseconds. */
const longestBlock = 10;

const syncAll = promisify(fsync);
const syncContent = promisify(fdatasync);

/** `fsync`: what was acknowledged survives the loss of power. `none`: it survives the end of the process. */
export type Durability = 'fsync' | 'none';

/**
 * Writing files so that they are there whole or not at all. Each step is a method of its own, so that a test can stop
 * between any two.
 */
export class Files {
  readonly durability: Durability;
  #isAlwaysDurable = false;
  readonly throttle: Throttle = new Throttle();
  /** When others had a turn. */
  #yieldedAt = performance.now();
  /** Directories that are known to exist. */
  readonly #made = new Set<string>();
  /** Directory synchronisations that have not begun yet: who asks meanwhile shares them. */
  readonly #waiting = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(durability: Durability) {
    this.durability = durability;
  }

  get #isDurable(): boolean {
    return this.durability === 'fsync' || this.#isAlwaysDurable;
  }

  /** While it runs, everything is made durable: what an earlier process has promised stays promised. */
  async whileAlwaysDurable(run: () => Promise<void>): Promise<void> {
    this.#isAlwaysDurable = true;
    try {
      await run();
    } finally {
      this.#isAlwaysDurable = false;
    }
  }

  async syncData(handle: FileHandle): Promise<void> {
    if (this.#isDurable) await handle.datasync();
  }

  /** Makes the content of a file durable that was written by {@link writeSmall}. */
  async syncPath(path: string): Promise<void> {
    if (!this.#isDurable) return;
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
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
        const file = openSync(dir, 'r');
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
    const first = await mkdir(dir, { recursive: true, mode: 0o755 });
    if (first !== undefined) {
      for (let at = dir; ; at = dirname(at)) {
        await this.syncDirectory(dirname(at));
        if (at === first) break;
      }
    }
    this.#made.add(dir);
  }

  forgetDirectory(dir: string): void {
    for (const made of this.#made) if (made === dir || made.startsWith(`${dir}/`)) this.#made.delete(made);
  }

  /**
   * Gives a file that is written its name; whoever had the name before is gone.
   *
   * @param onMoved called when it has its name, which may not be durable yet
   */
  async moveInto(from: string, to: string, onMoved?: () => void): Promise<void> {
    const directory = dirname(to);
    if (!this.#made.has(directory)) await this.makeDirectory(directory);
    try {
      renameSync(from, to);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Somebody removed the directory, which was empty.
      this.forgetDirectory(directory);
      await this.makeDirectory(directory);
      renameSync(from, to);
    }
    onMoved?.();
    await this.syncDirectory(directory);
  }

  /** Like {@link moveInto}, at once; neither the name nor the directory, if it has to be made, is durable then. */
  moveNow(from: string, to: string): void {
    try {
      renameSync(from, to);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Somebody removed the directory, which was empty.
      mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
      renameSync(from, to);
    }
  }

  /** Writes a new file that is small. In one step: handing each call to a thread would take ten times as long. */
  async writeSmall(path: string, pieces: readonly Uint8Array[], how?: 'durably'): Promise<void> {
    const file = await this.#openNew(path);
    try {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length;) at += writeSync(file, piece, at, piece.length - at);
      }
      if (how === 'durably' && this.#isDurable) await syncContent(file);
    } finally {
      closeSync(file);
    }
    await this.#yieldIfDue();
  }

  /** Whoever writes one small file after another, and waits for nothing, would keep timers and sockets from their turn. */
  async #yieldIfDue(): Promise<void> {
    if (performance.now() - this.#yieldedAt < longestBlock) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#yieldedAt = performance.now();
  }

  async #openNew(path: string): Promise<number> {
    await this.makeDirectory(dirname(path));
    try {
      return openSync(path, anew, 0o644);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Somebody removed the directory.
      this.forgetDirectory(dirname(path));
      await this.makeDirectory(dirname(path));
      return openSync(path, anew, 0o644);
    }
  }

  async #create(path: string): Promise<FileHandle> {
    try {
      return await open(path, 'wx', 0o644);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Somebody removed the directory.
      this.forgetDirectory(dirname(path));
      await this.makeDirectory(dirname(path));
      return open(path, 'wx', 0o644);
    }
  }

  /**
   * Writes a whole file in one step: its old content or its new one is there, never something between.
   *
   * @returns the {@link identityOf} the new file, also if somebody has changed it by now; undefined if it was not wanted
   */
  async replace(
    path: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { prepare, isWanted }: Replacing = {},
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
      // From here until it has its name nothing waits.
      const { ino, size, mtimeNs } = statSync(temporary, { bigint: true });
      if (isWanted?.() === false) {
        await rm(temporary, { force: true });
        return undefined;
      }
      renameSync(temporary, path);
      const there = statSync(path, { bigint: true, throwIfNoEntry: false });
      await this.syncDirectory(dirname(path));
      return formatIdentity({ ino, size, mtimeNs, ctimeNs: there?.ctimeNs ?? 0n });
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

/** What is to happen before a file takes another's place. */
export interface Replacing {
  /** Runs when the new content is durable. */
  prepare?: () => Promise<void>;
  /** Asked in the same step in which the file is replaced: nobody of this process can come between. */
  isWanted?: () => boolean;
}

const temporaryName = /^\.[0-9a-f]{16}\.tmp$/;

/** True for the names that {@link Files.replace} gives to what is not whole yet. */
export function isTemporary(name: string): boolean {
  return temporaryName.test(name);
}

/**
 * Looks at every step of the way from `root`, which itself may be anything.
 *
 * @throws RegistryError UNAVAILABLE if one of them is a symbolic link
 */
export function assertInside(root: string, components: readonly string[]): void {
  let path = root;
  for (const component of components) {
    path = join(path, component);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) {
      throw new RegistryError('UNAVAILABLE', `${path} is a symbolic link, which is not followed`);
    }
  }
}

/**
 * The bytes of a file of the store's own.
 *
 * @throws RegistryError UNAVAILABLE if it is there and cannot be read, naming it: Node does that only for what cannot be
 *   opened
 */
export async function readWhole(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (isMissing(cause)) throw cause;
    throw new RegistryError('UNAVAILABLE', `${path} cannot be read: ${String(cause)}`, { cause });
  }
}

/** What a directory has; nothing if there is none. One that cannot be read is an error, and not empty. */
export async function entriesOf(dir: string): Promise<Dirent[]> {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new RegistryError('UNAVAILABLE', `${dir} cannot be listed: ${String(cause)}`, { cause });
  }
}

/** Tells whether a file is still the same one with the same content, without reading it; empty if there is none. */
export async function identityOf(path: string): Promise<string> {
  try {
    return formatIdentity(await stat(path, { bigint: true }));
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

export function formatIdentity({
  ino,
  size,
  mtimeNs,
  ctimeNs,
}: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** Whether a directory has anything; its entries are not all read, as there may be very many. */
export function hasEntries(dir: string): boolean {
  try {
    const directory = opendirSync(dir);
    try {
      return directory.readSync() !== null;
    } finally {
      directory.closeSync();
    }
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw new RegistryError('UNAVAILABLE', `${dir} cannot be listed: ${String(cause)}`, { cause });
  }
}

export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR');
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

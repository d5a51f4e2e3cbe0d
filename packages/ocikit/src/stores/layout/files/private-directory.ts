// The directory `.ocikit` of a root: the paths of everything that is not for other tools.
import { createHash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistryError } from '../../../model/index.ts';

import { isMissing, statsOf } from '../../disk/index.ts';

import { isTemporaryName } from './files.ts';
import type { Files } from './files.ts';
import { pooledRandomBytes } from './random-bytes.ts';
import { readWhole } from './reading.ts';
import type { Warn } from './warn.ts';

/** The bits of a mode that let other users in. */
const others = 0o077;

/** The path of the folder `.ocikit` of a root. */
export function privateDirectoryOf(root: string): string {
  return join(root, '.ocikit');
}

/** The folder `.ocikit` of a root, for files that only ocikit reads. No repository can have this name. */
export class PrivateDirectory {
  /** The folder itself. */
  readonly path: string;
  /** Snapshots: one file per layout, with the facts that `index.json` has no place for. */
  readonly snapshots: string;
  /** How tags moved: two files per layout. */
  readonly history: string;
  /** The bytes of unfinished uploads. */
  readonly uploads: string;
  /** Blobs and manifests that have not got their final names yet. */
  readonly temporary: string;
  /** When content was last used. The file exists only while no process writes to the root. */
  readonly usedTimes: string;
  /** The place where a collection stopped. The file exists only while one runs, or after it was killed. */
  readonly collection: string;
  /** Damaged files that were moved out of the way. */
  readonly quarantine: string;
  readonly #files: Files;
  /** No other process has it, and no other object of this one: a late writer must not hit a file of its successor. */
  readonly #prefix = pooledRandomBytes(16).toString('hex');
  #temporaryFiles = 0;

  constructor(root: string, files: Files) {
    this.path = privateDirectoryOf(root);
    this.snapshots = join(this.path, 'snapshots');
    this.history = join(this.path, 'history');
    this.uploads = join(this.path, 'uploads');
    this.temporary = join(this.path, 'tmp');
    this.usedTimes = join(this.path, 'used');
    this.collection = join(this.path, 'collection');
    this.quarantine = join(this.path, 'quarantine');
    this.#files = files;
  }

  /**
   * Checks that neither the folder nor those in it are symbolic links, which could lead to files of another user.
   *
   * @throws RegistryError UNAVAILABLE
   */
  assertReal(): void {
    for (const path of [this.path, this.snapshots, this.history, this.uploads, this.temporary, this.quarantine]) {
      const stats = statsOf(path);
      if (stats?.isSymbolicLink() !== true) continue;
      throw new RegistryError('UNAVAILABLE', `${path} is a symbolic link, but must be a directory: remove it`);
    }
  }

  /** Locks other users out of the folder and the key, which earlier versions let them read. */
  close(warn: Warn): void {
    for (const path of [this.path, this.#key]) {
      const stats = statsOf(path);
      if (stats === undefined || (stats.mode & others) === 0 || stats.isSymbolicLink()) continue;
      try {
        chmodSync(path, stats.mode & 0o777 & ~others);
      } catch (error) {
        warn('other users can read files that only ocikit should read: change the mode', { file: path, error });
      }
    }
  }

  get #key(): string {
    return join(this.path, 'key');
  }

  /** A path for a new temporary file, unique. */
  temporaryPath(): string {
    return `${this.temporary}/${this.#prefix}-${++this.#temporaryFiles}`;
  }

  /** Removes temporary files that a crash left. Unfinished uploads stay. */
  async removeLeftovers(): Promise<void> {
    await rm(this.temporary, { recursive: true, force: true });
    this.#files.forgetDirectory(this.temporary);
    for (const dir of [this.path, this.snapshots]) {
      for (const name of await readdir(dir).catch(() => [])) {
        if (isTemporaryName(name)) await rm(join(dir, name), { force: true });
      }
    }
  }

  /** The key that signs upload ids; created when it is first needed. */
  async uploadKey(): Promise<Uint8Array> {
    const existing = await this.existingUploadKey();
    if (existing !== undefined) return existing;
    const key = pooledRandomBytes(32);
    await this.#files.replace(this.#key, [key]);
    return key;
  }

  /** The same, undefined if it is not there or damaged. */
  async existingUploadKey(): Promise<Uint8Array | undefined> {
    try {
      const key = await readWhole(this.#key);
      return key.length === 32 ? key : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** The name of a layout's file in the private directory. It is a hash, so any directory gives a valid file name. */
export function nameOfLayout(directory: string): string {
  return createHash('sha256').update(directory).digest('hex');
}

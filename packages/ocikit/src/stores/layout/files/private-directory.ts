import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing, isTemporary } from './files.ts';
import type { Files } from './files.ts';
import { pooledRandomBytes } from './random-bytes.ts';

/** Where a root keeps what is not for other tools. No repository can be called that. */
export class PrivateDirectory {
  readonly path: string;
  /** What an index has no place for, a file for each layout. */
  readonly snapshots: string;
  /** How tags moved, two files for each layout. */
  readonly history: string;
  readonly uploads: string;
  /** Blobs and manifests on their way to their names. */
  readonly temporary: string;
  /** When content was used last, while nobody writes. */
  readonly usedTimes: string;
  /** Damaged files that were put aside. */
  readonly quarantine: string;
  readonly #files: Files;

  constructor(root: string, files: Files) {
    this.path = join(root, '.ocikit');
    this.snapshots = join(this.path, 'snapshots');
    this.history = join(this.path, 'history');
    this.uploads = join(this.path, 'uploads');
    this.temporary = join(this.path, 'tmp');
    this.usedTimes = join(this.path, 'used');
    this.quarantine = join(this.path, 'quarantine');
    this.#files = files;
  }

  /** A name that nobody has. */
  temporaryPath(): string {
    return `${this.temporary}/${pooledRandomBytes(16).toString('hex')}`;
  }

  /** What a crash left that nobody can want any more. Uploads stay. */
  async removeLeftovers(): Promise<void> {
    await rm(this.temporary, { recursive: true, force: true });
    this.#files.forgetDirectory(this.temporary);
    for (const dir of [this.path, this.snapshots]) {
      for (const name of await readdir(dir).catch(() => [])) {
        if (isTemporary(name)) await rm(join(dir, name), { force: true });
      }
    }
  }

  /** The key that ids of uploads are made with; it is made when it is asked for first. */
  async uploadKey(): Promise<Uint8Array> {
    const path = join(this.path, 'key');
    try {
      const key = await readFile(path);
      if (key.length === 32) return key;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    const key = pooledRandomBytes(32);
    await this.#files.replace(path, [key]);
    return key;
  }
}

/** What a file of a layout is called, whatever its directory is. */
export function nameOfLayout(directory: string): string {
  return createHash('sha256').update(directory).digest('hex');
}

// Hashes blob files, and remembers which ones are intact until they change.
import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';

import { blobDescriptor, createContent, isRegistryError } from '../../model/index.ts';
import type { ContentSource, Digest } from '../../model/index.ts';
import { isMissing, openRegular, VerifiedFiles, verifiedSource } from '../disk/index.ts';

/** Compares files with their digests. A file that has not changed since is not hashed again. */
export class FileChecks {
  readonly #known = new VerifiedFiles();
  readonly #running = new Map<string, Promise<boolean>>();

  /** True if the file is there and has the right bytes. Concurrent callers share one look. */
  isIntact(path: string, digest: Digest): Promise<boolean> {
    let running = this.#running.get(path);
    if (running === undefined) {
      running = this.#look(path, digest).finally(() => this.#running.delete(path));
      this.#running.set(path, running);
    }
    return running;
  }

  async #look(path: string, digest: Digest): Promise<boolean> {
    const stats = await statsOf(path);
    if (stats === undefined || this.#known.isDamaged(path, stats)) return false;
    if (this.#known.isIntact(path, stats)) return true;
    const source = this.source(path, digest, stats.size, () => openRegular(path));
    const content = createContent({ descriptor: blobDescriptor(digest, stats.size), source });
    try {
      for await (const bytes of content) void bytes;
      return true;
    } catch (error) {
      if (isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID') || isMissing(error)) return false;
      throw error;
    }
  }

  /** True if the file is known to have other bytes than its digest says. */
  async isDamaged(path: string): Promise<boolean> {
    const stats = await statsOf(path);
    return stats !== undefined && this.#known.isDamaged(path, stats);
  }

  /** Notes that a file with the right bytes was just written. */
  async noteIntact(path: string): Promise<void> {
    const stats = await statsOf(path);
    if (stats !== undefined) this.#known.note(path, stats, true);
  }

  /** A whole file, whose reading fails before its last bytes if they are wrong. */
  source(path: string, digest: Digest, size: number, open: () => Promise<FileHandle>): ContentSource {
    return verifiedSource({ path, digest, size, known: this.#known }, open);
  }
}

async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

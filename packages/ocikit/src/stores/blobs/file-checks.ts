// Hashes blob files, and remembers which ones are intact until they change.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

import { Digester, RegistryError, splitDigest, wrongDigest } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import { isMissing } from '../disk/index.ts';

/** Files whose state is remembered. */
const most = 10_000;
/** Bytes that are read at a time. */
const piece = 256 * 1024;

interface Known {
  identity: string;
  isIntact: boolean;
}

/** Compares files with their digests. A file that has not changed since is not hashed again. */
export class FileChecks {
  readonly #known = new Map<string, Known>();
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
    const known = await this.#knownOf(path);
    if (known !== undefined) return known.isIntact;
    try {
      for await (const bytes of this.read(path, digest)) void bytes;
      return true;
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'DIGEST_INVALID') return false;
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** True if the file is known to have other bytes than its digest says. */
  async isDamaged(path: string): Promise<boolean> {
    return (await this.#knownOf(path))?.isIntact === false;
  }

  async #knownOf(path: string): Promise<Known | undefined> {
    const known = this.#known.get(path);
    return known !== undefined && known.identity === (await identityOf(path)) ? known : undefined;
  }

  /** Notes that a file with the right bytes was just written. */
  async noteIntact(path: string): Promise<void> {
    this.#note(path, await identityOf(path), true);
  }

  /**
   * Reads a whole file, and fails before its last piece if the bytes are wrong: a client that has received every byte
   * would not notice a later error.
   */
  async *read(path: string, digest: Digest): AsyncGenerator<Uint8Array, void, undefined> {
    const before = await identityOf(path);
    const digester = new Digester(splitDigest(digest).algorithm);
    let last: Uint8Array | undefined;
    for await (const read of createReadStream(path, { highWaterMark: piece })) {
      const bytes = read as Uint8Array;
      digester.update(bytes);
      if (last !== undefined) yield last;
      last = bytes;
    }
    const found = digester.digest();
    this.#note(path, before, found === digest);
    if (found !== digest) throw wrongDigest(digest, found);
    if (last !== undefined) yield last;
  }

  #note(path: string, identity: string, isIntact: boolean): void {
    this.#known.delete(path);
    this.#known.set(path, { identity, isIntact });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= most) break;
      this.#known.delete(oldest);
    }
  }
}

/** A text that changes when the file is replaced or written to; empty if there is none. */
async function identityOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

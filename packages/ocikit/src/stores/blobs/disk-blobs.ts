import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { createContent, mediaTypes, parseDigest, RegistryError, splitDigest } from '../../model/index.ts';
import type { BlobContent, ByteRange, ByteReader, Digest, ResolvedRange } from '../../model/index.ts';
import { fileReader } from '../disk/index.ts';

import type { BlobStage, BlobStore } from './blob-store.ts';

/**
 * Keeps blobs as files: `<dir>/<algorithm>/<encoded>`. A file appears under that name only when it is whole; until then
 * it is in `<dir>/.uploads`. Creates nothing before the first write.
 *
 * What is found there, from another program or from before, is served too, in every repository, as a file does not say
 * whose it is; it cannot be deleted.
 */
export function diskBlobs(dir: string): BlobStore {
  const given = new Set<Digest>();
  const pathOf = (digest: Digest): string => {
    const { algorithm, encoded } = splitDigest(parseDigest(digest));
    return join(dir, algorithm, encoded);
  };
  const sizeOf = async (digest: Digest): Promise<number> => {
    try {
      const stats = await stat(pathOf(digest));
      if (stats.isFile()) return stats.size;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    throw new RegistryError('BLOB_UNKNOWN', `${digest} is not known`, { detail: { digest } });
  };
  return {
    async get(_repository, digest, { range, signal }) {
      const path = pathOf(digest);
      const descriptor = { mediaType: mediaTypes.octetStream, digest, size: await sizeOf(digest) };
      return createContent({ descriptor, range, signal, source: { open: (part) => readerOf(path, part) } });
    },
    async stat(_repository, digest) {
      return { size: await sizeOf(digest) };
    },
    async put(repository, { digest }, content) {
      const stage = new DiskStage(dir, pathOf, given);
      try {
        for await (const bytes of content) await stage.append(bytes);
        await stage.keep(repository, digest);
      } catch (error) {
        await stage.discard();
        throw error;
      }
    },
    async delete(_repository, digest) {
      await sizeOf(digest);
      if (!given.has(digest)) {
        throw new RegistryError('DENIED', `${digest} was not pushed here but found: it cannot be deleted`);
      }
      await rm(pathOf(digest), { force: true });
      given.delete(digest);
    },
    stage: () => new DiskStage(dir, pathOf, given),
  };
}

class DiskStage implements BlobStage {
  readonly #dir: string;
  readonly #path: string;
  readonly #pathOf: (digest: Digest) => string;
  readonly #given: Set<Digest>;
  #handle: FileHandle | undefined;
  #size = 0;

  constructor(dir: string, pathOf: (digest: Digest) => string, given: Set<Digest>) {
    this.#given = given;
    this.#dir = join(dir, '.uploads');
    this.#path = join(this.#dir, randomBytes(16).toString('hex'));
    this.#pathOf = pathOf;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const handle = await this.#open();
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, this.#size);
      at += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  async truncate(size: number): Promise<void> {
    if (size === 0 && this.#size === 0) return;
    const handle = await this.#open();
    await handle.truncate(size);
    this.#size = size;
  }

  read(size: number, range?: ByteRange): BlobContent {
    const descriptor = { mediaType: mediaTypes.octetStream, digest: 'none:upload', size } as const;
    return createContent({ descriptor, range, source: { open: (part) => readerOf(this.#path, part) } });
  }

  async release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async keep(_repository: string, digest: Digest): Promise<void> {
    await this.#open();
    await this.release();
    const path = this.#pathOf(digest);
    await mkdir(join(path, '..'), { recursive: true });
    // What was found stays what it is, also if somebody pushes the same.
    const isNew = !(await exists(path));
    await rename(this.#path, path);
    if (isNew) this.#given.add(digest);
  }

  async discard(): Promise<void> {
    await this.release();
    await rm(this.#path, { force: true });
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle === undefined) {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      // Not 'a': the position of a write would be ignored, and after a truncation it matters.
      this.#handle = await open(this.#path, this.#size === 0 ? 'w' : 'r+');
    }
    return this.#handle;
  }
}

async function readerOf(path: string, range: ResolvedRange): Promise<ByteReader> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new RegistryError('BLOB_UNKNOWN', 'the blob has been deleted', { cause });
  }
  return fileReader(handle, range.start);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

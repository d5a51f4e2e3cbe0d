// A blob store in a directory.
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import {
  blobDescriptor,
  blobUnknown,
  createContent,
  createPartsContent,
  mediaTypes,
  parseDigest,
  RegistryError,
  splitDigest,
} from '../../model/index.ts';
import type { BlobContent, ByteRange, ByteReader, Digest, ResolvedRange } from '../../model/index.ts';
import { fileReader, hasCode, isMissing, NotAFileError, openRegular, partsReader } from '../disk/index.ts';

import type { BlobStage, BlobStore } from './blob-store.ts';
import { FileChecks } from './file-checks.ts';

/** Options of {@link diskBlobs}. */
export interface DiskBlobsOptions {
  /**
   * Compare each blob that is read as a whole with its digest; reading a damaged blob fails. A damaged blob counts as
   * missing, so that clients push it again: a HEAD request reads a file that has not been compared yet. A file is
   * hashed again when its inode, size or times change. Default: false.
   */
  verifyOnRead?: boolean | undefined;
}

/**
 * Creates a blob store that keeps each blob in the file `<dir>/<algorithm>/<encoded>`. A file gets that name only when
 * it is complete; until then it is in `<dir>/.uploads`. Nothing is created before the first write.
 *
 * Files from another program, or from an earlier process, are served too, in every repository: a file does not say
 * which repository it belongs to. They cannot be deleted.
 *
 * @example
 * const registry = createMemoryRegistry({ blobs: diskBlobs('/var/lib/registry') });
 */
export function diskBlobs(dir: string, { verifyOnRead = false }: DiskBlobsOptions = {}): BlobStore {
  const checks = verifyOnRead ? new FileChecks() : undefined;
  const given = new Set<Digest>();
  const pathOf = (digest: Digest): string => {
    const { algorithm, encoded } = splitDigest(parseDigest(digest));
    return join(dir, algorithm, encoded);
  };
  const sizeOfFile = async (repository: string, digest: Digest): Promise<number> => {
    try {
      const stats = await stat(pathOf(digest));
      if (stats.isFile()) return stats.size;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    throw blobUnknown(repository, digest);
  };
  return {
    async get(repository, digest, { range, ranges, signal }) {
      const path = pathOf(digest);
      const descriptor = blobDescriptor(digest, await sizeOfFile(repository, digest));
      if (checks !== undefined) {
        if (await checks.isDamaged(path)) throw blobUnknown(repository, digest);
        if (range === undefined && ranges === undefined) {
          const source = checks.source(path, digest, descriptor.size, () => openBlob(path));
          return createContent({ descriptor, signal, source });
        }
      }
      if (ranges === undefined) {
        return createContent({ descriptor, range, signal, source: { open: (part) => readerOf(path, part) } });
      }
      const openParts = async ({ start }: ResolvedRange): Promise<ByteReader> =>
        partsReader(await openBlob(path), start);
      return createPartsContent({ descriptor, ranges, signal, source: { open: openParts } });
    },
    async stat(repository, digest) {
      const size = await sizeOfFile(repository, digest);
      if (checks !== undefined && !(await checks.isIntact(pathOf(digest), digest)))
        throw blobUnknown(repository, digest);
      return { size };
    },
    async put(repository, { digest }, content) {
      const stage = new DiskStage({ dir, pathOf, given, checks });
      try {
        for await (const bytes of content) await stage.append(bytes);
        await stage.keep(repository, digest);
      } catch (error) {
        await stage.discard();
        throw error;
      }
    },
    async delete(repository, digest) {
      await sizeOfFile(repository, digest);
      if (!given.has(digest)) {
        throw new RegistryError(
          'DENIED',
          `${digest} was not pushed by this process, so it cannot be deleted here: remove its file from the store's directory`,
        );
      }
      await rm(pathOf(digest), { force: true });
      given.delete(digest);
    },
    stage: () => new DiskStage({ dir, pathOf, given, checks }),
  };
}

interface StageOptions {
  /** The directory of the blob store. */
  dir: string;
  /** The path of a blob. */
  pathOf: (digest: Digest) => string;
  /** The blobs that were pushed by this process. */
  given: Set<Digest>;
  /** Undefined if nothing is verified. */
  checks: FileChecks | undefined;
}

class DiskStage implements BlobStage {
  readonly #dir: string;
  readonly #path: string;
  readonly #pathOf: (digest: Digest) => string;
  readonly #given: Set<Digest>;
  readonly #checks: FileChecks | undefined;
  #handle: FileHandle | undefined;
  #size = 0;

  constructor({ dir, pathOf, given, checks }: StageOptions) {
    this.#given = given;
    this.#checks = checks;
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
    // A file that was found here cannot be deleted, even if the same content is pushed.
    const isNew = !(await exists(path));
    try {
      await rename(this.#path, path);
    } catch (cause) {
      if (!hasCode(cause, 'EISDIR')) throw cause;
      throw new RegistryError('UNAVAILABLE', `${path} is a directory in place of a blob: remove it`, { cause });
    }
    if (isNew) this.#given.add(digest);
    await this.#checks?.noteIntact(path);
  }

  async discard(): Promise<void> {
    await this.release();
    await rm(this.#path, { force: true });
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle === undefined) {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      // Not 'a', which ignores the position of a write: after a truncation, the position matters.
      this.#handle = await open(this.#path, this.#size === 0 ? 'w' : 'r+', 0o644);
    }
    return this.#handle;
  }
}

async function readerOf(path: string, range: ResolvedRange): Promise<ByteReader> {
  return fileReader(await openBlob(path), range.start);
}

async function openBlob(path: string): Promise<FileHandle> {
  try {
    return await openRegular(path);
  } catch (cause) {
    if (!isMissing(cause) && !(cause instanceof NotAFileError)) throw cause;
    throw new RegistryError('BLOB_UNKNOWN', 'the blob was deleted before it was opened', { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

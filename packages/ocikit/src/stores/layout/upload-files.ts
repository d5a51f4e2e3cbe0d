import { constants, utimesSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { createContent, RegistryError } from '../../model/index.ts';
import type { BlobContent, ByteRange, Digest } from '../../model/index.ts';
import type { BlobStage } from '../blobs/index.ts';

import { isMissing } from './files.ts';
import type { Files } from './files.ts';
import { readerOf, sizeOfFile } from './reading.ts';

/** The bytes of an upload or of a blob that is being pushed: a file that becomes the blob when it is whole. */
export class FileStage implements BlobStage {
  readonly path: string;
  readonly #files: Files;
  readonly #keep: (repository: string, digest: Digest, stage: FileStage) => Promise<void>;
  #handle: FileHandle | undefined;
  #size: number;

  /** @param size of the file, if it is there already */
  constructor(
    path: string,
    files: Files,
    keep: (repository: string, digest: Digest, stage: FileStage) => Promise<void>,
    size = 0,
  ) {
    this.path = path;
    this.#files = files;
    this.#keep = keep;
    this.#size = size;
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
    if (this.#size === 0 && size === 0) return;
    await (await this.#open()).truncate(size);
    this.#size = size;
  }

  read(size: number, range?: ByteRange): BlobContent {
    const descriptor = { mediaType: 'application/octet-stream', digest: 'none:upload', size } as const;
    return createContent({ descriptor, range, source: { open: (part) => readerOf(this.path, part) } });
  }

  async release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** Makes the bytes durable; the file can be given another name now. */
  async finish(): Promise<void> {
    await this.#files.syncData(await this.#open());
    await this.release();
  }

  keep(repository: string, digest: Digest): Promise<void> {
    return this.#keep(repository, digest, this);
  }

  async discard(): Promise<void> {
    await this.release();
    await rm(this.path, { force: true });
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= this.#size === 0 ? await this.#create() : await this.#openAgain();
    return this.#handle;
  }

  async #create(): Promise<FileHandle> {
    await this.#files.makeDirectory(join(this.path, '..'));
    return open(this.path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o644);
  }

  /** Never anew: what is missing would be there, as zeros. */
  async #openAgain(): Promise<FileHandle> {
    try {
      return await open(this.path, constants.O_RDWR);
    } catch (cause) {
      if (!isMissing(cause)) throw cause;
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'the bytes of the upload are gone', { cause });
    }
  }
}

/** The size of an upload that an earlier process left. It is used from now on, and does not expire meanwhile. */
export function restoreUpload(path: string): number | undefined {
  const size = sizeOfFile(path);
  if (size !== undefined) utimesSync(path, new Date(), new Date());
  return size;
}

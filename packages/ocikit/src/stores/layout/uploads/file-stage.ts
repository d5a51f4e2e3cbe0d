import { constants, rmSync, utimesSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { createContent, RegistryError } from '../../../model/index.ts';
import type { BlobContent, ByteRange, ByteReader, ResolvedRange } from '../../../model/index.ts';

import type { StageDigest } from '../../blobs/index.ts';
import type { UploadStage } from '../../uploads/index.ts';

import { isFileOf, isMissing, readerOf, sizeOfFile } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import { hashWorkers } from './hash-worker.ts';
import type { HashedFile } from './hash-worker.ts';

/** Up to here, bytes wait in memory for the file to be written in one step. */
const small = 64 * 1024;
/** From so many bytes on, a piece is given to the thread that computes the digest, to be written there; one that it shares always is. */
const large = 256 * 1024;
/** Bytes after which what was written is synchronised, while more is coming. */
const syncStep = 16 * 1024 * 1024;

/** The bytes of an upload or of a blob that is being pushed: a file that becomes the blob when it is whole. */
export class FileStage implements UploadStage {
  readonly #path: string;
  readonly #files: Files;
  #handle: FileHandle | undefined;
  #size: number;
  /** All bytes, as long as there is no file. */
  #held: Uint8Array[] = [];
  #hasFile: boolean;
  #writtenAt: number | undefined;
  #followed: HashedFile | undefined;
  /** Bytes that were there when a synchronisation was begun last. */
  #synced = 0;
  #syncing: Promise<void> | undefined;
  #syncError: { error: unknown } | undefined;

  /** @param size of the file, if it is there already */
  constructor(path: string, files: Files, size?: number) {
    this.#path = path;
    this.#files = files;
    this.#size = size ?? 0;
    this.#hasFile = size !== undefined;
  }

  /** Milliseconds of the epoch, if all of the file, the one that has been moved as well, was written at once. */
  get writtenAt(): number | undefined {
    return this.#writtenAt;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (!this.#hasFile && this.#size + bytes.length <= small) {
      // A copy: `slice` of a Buffer is none, and the next piece may come in the same memory.
      this.#held.push(Buffer.from(bytes));
      this.#size += bytes.length;
      return;
    }
    await this.#write();
    this.#writtenAt = undefined;
    const handle = await this.#open();
    const isLarge = bytes.length >= large || bytes.buffer instanceof SharedArrayBuffer;
    const followed = isLarge ? this.#followed : undefined;
    let at = (await followed?.write(bytes, this.#size)) ?? 0;
    this.#size += at;
    while (at < bytes.length) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, this.#size);
      at += bytesWritten;
      this.#size += bytesWritten;
    }
    this.#followed?.grew(this.#size);
    this.#syncEarly(handle);
  }

  follow(algorithm: string): StageDigest | undefined {
    this.#followed ??= this.#hasFile ? hashWorkers.follow(this.#path, algorithm) : undefined;
    return this.#followed;
  }

  /** What is on the disk already need not be waited for in the end. */
  #syncEarly(handle: FileHandle): void {
    if (this.#syncing !== undefined || this.#size < this.#synced + syncStep) return;
    this.#synced = this.#size;
    this.#syncing = this.#files
      .syncData(handle)
      .catch((error: unknown) => {
        this.#syncError ??= { error };
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  async truncate(size: number): Promise<void> {
    // What fails now is taken back, or was said before.
    await this.#followed?.settled().catch(() => undefined);
    this.#unfollow();
    this.#synced = Math.min(this.#synced, size);
    if (this.#hasFile) await (await this.#open()).truncate(size);
    else this.#held = [Buffer.concat(this.#held).subarray(0, size)];
    this.#size = size;
  }

  read(size: number, range?: ByteRange): BlobContent {
    const descriptor = { mediaType: 'application/octet-stream', digest: 'none:upload', size } as const;
    const source = this.#hasFile
      ? { open: (part: ResolvedRange): Promise<ByteReader> => readerOf(this.#path, part) }
      : { pieces: this.#held };
    return createContent({ descriptor, range, source });
  }

  /** What was appended is in the file now, and survives the process. */
  async release(): Promise<void> {
    if (this.#size > 0) await this.#write();
    await this.#close();
  }

  /** Makes the bytes durable; {@link moveTo} can be called now. */
  async finish(): Promise<void> {
    await this.#syncing;
    // The kernel may have dropped what it could not write, and a second time it would say that all is well.
    if (this.#syncError !== undefined) throw this.#syncError.error;
    if (this.#hasFile) await this.#files.syncData(await this.#open());
    else await this.#write('durably');
    await this.#close();
  }

  /** All bytes, if they are few and there is no file yet. */
  smallBytes(): Uint8Array | undefined {
    if (this.#hasFile || this.#size === 0) return undefined;
    const [only] = this.#held;
    return only !== undefined && this.#held.length === 1 ? only : Buffer.concat(this.#held);
  }

  /**
   * Like {@link moveTo}, at once and not durably. A file that has the same bytes stays: it may be durable, and an index may
   * name it.
   */
  moveNow(path: string, bytes: Uint8Array): void {
    this.#unfollow();
    if (isFileOf(path, bytes)) {
      rmSync(this.#path, { force: true });
      this.#writtenAt = undefined;
    } else {
      this.#files.moveNow(this.#path, path);
    }
    this.#hasFile = false;
  }

  /** Gives the file the name of what it is. */
  async moveTo(path: string): Promise<void> {
    this.#unfollow();
    await this.#files.moveInto(this.#path, path, () => {
      this.#hasFile = false;
    });
  }

  /**
   * After {@link moveTo}, when something else has failed: an upload can be tried again.
   *
   * @param giveBack makes the file again, if it can
   */
  async restore(giveBack: (path: string) => Promise<void>): Promise<void> {
    if (this.#hasFile || this.#held.length > 0) return;
    await giveBack(this.#path);
    this.#hasFile = true;
  }

  async discard(): Promise<void> {
    this.#unfollow();
    const hadFile = this.#hasFile;
    this.#hasFile = false;
    this.#held = [];
    // An empty one goes at once: the upload's id is good still, and whoever sends again must not meet it, or lose theirs.
    if (hadFile && this.#size === 0) rmSync(this.#path, { force: true });
    else if (hadFile) await rm(this.#path, { force: true });
    await this.#close();
  }

  /** From now on there is a file. */
  async #write(how?: 'durably'): Promise<void> {
    if (this.#hasFile) return;
    try {
      await this.#files.writeSmall(this.#path, this.#held, how);
    } catch (error) {
      // The bytes are here still, and can be written when there is room again.
      await rm(this.#path, { force: true }).catch(() => undefined);
      throw error;
    }
    this.#hasFile = true;
    this.#writtenAt = Date.now();
    this.#held = [];
  }

  #unfollow(): void {
    this.#followed?.close();
    this.#followed = undefined;
  }

  async #close(): Promise<void> {
    await this.#syncing;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= await this.#openAgain();
    return this.#handle;
  }

  /** Never anew: what is missing would be there, as zeros. */
  async #openAgain(): Promise<FileHandle> {
    try {
      return await open(this.#path, constants.O_RDWR);
    } catch (cause) {
      if (!isMissing(cause)) throw cause;
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'the bytes of the upload are gone', { cause });
    }
  }
}

/** The size of an upload that an earlier process left. It is used from now on, and does not expire meanwhile. */
export function restoreUpload(path: string): number | undefined {
  const size = sizeOfFile(path);
  // An empty one is as good as none.
  if (size === undefined || size === 0) return undefined;
  utimesSync(path, new Date(), new Date());
  return size;
}

// The bytes of an upload or a blob push, in memory and then in a temporary file, until they become a blob.
import { constants, rmSync, utimesSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { isMissing } from '../../disk/index.ts';
import { createContent, RegistryError } from '../../../model/index.ts';
import type { BlobContent, ByteRange, ByteReader, ResolvedRange } from '../../../model/index.ts';

import type { StageDigest } from '../../blobs/index.ts';
import type { UploadStage } from '../../uploads/index.ts';

import { isFileOf, readerOf, sizeOfFile } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import { hashWorkers } from './hash-worker.ts';
import type { HashedFile } from './hash-worker.ts';

/** Bytes. Up to this size an upload waits in memory, to be written in one step. */
const small = 64 * 1024;
/** Bytes. From this size on, the hash worker writes a piece; it writes shared memory of any size. */
const large = 256 * 1024;
/** Bytes between two early synchronisations of a growing file. */
const syncStep = 16 * 1024 * 1024;

/** The bytes of an upload or of a blob push. The file becomes the blob when it is complete. */
export class FileStage implements UploadStage {
  /** See {@link UploadStage}. */
  readonly takesShared = true;
  readonly #path: string;
  readonly #files: Files;
  #handle: FileHandle | undefined;
  #size: number;
  /** All bytes, while there is no file. */
  #held: Uint8Array[] = [];
  #hasFile: boolean;
  /** True if only this user may read the file, as long as it is an upload. */
  #isHidden: boolean;
  #writtenAt: number | undefined;
  #followed: HashedFile | undefined;
  /** Size of the file when the last synchronisation began. */
  #synced = 0;
  #syncing: Promise<void> | undefined;
  #syncError: { error: unknown } | undefined;

  /** @param size size of the file, if it exists already */
  constructor(path: string, files: Files, size?: number) {
    this.#path = path;
    this.#files = files;
    this.#size = size ?? 0;
    this.#hasFile = size !== undefined;
    this.#isHidden = this.#hasFile;
  }

  /** Milliseconds since the epoch if the whole file was written at once, also after the file was renamed. */
  get writtenAt(): number | undefined {
    return this.#writtenAt;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (!this.#hasFile && this.#size + bytes.length <= small) {
      // `Buffer.from` copies; `slice` of a Buffer would not, and the next piece may come in the same memory.
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

  /** Syncs while more bytes come, so that less is left to sync at the end. */
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
    // A failed write is now cut off, or was reported already.
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

  /** Writes the appended bytes to the file, so that they survive the process. */
  async release(): Promise<void> {
    if (this.#size > 0) await this.#write();
    await this.#close();
  }

  /** Makes the bytes durable, so that {@link moveTo} can be called. */
  async finish(): Promise<void> {
    await this.#syncing;
    // The kernel may have dropped unwritten pages, and a second sync would wrongly succeed.
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
   * Like {@link moveTo}, but at once and not durable. An existing file with the same bytes stays: it may be durable,
   * and an index may name it.
   */
  moveNow(path: string, bytes: Uint8Array): void {
    this.#unfollow();
    if (isFileOf(path, bytes)) {
      rmSync(this.#path, { force: true });
      this.#writtenAt = undefined;
    } else {
      this.#publish();
      this.#files.moveNow(this.#path, path);
    }
    this.#hasFile = false;
  }

  /** Renames the file to its final path, durably. */
  async moveTo(path: string): Promise<void> {
    this.#unfollow();
    this.#publish();
    await this.#files.moveInto(this.#path, path, () => {
      this.#hasFile = false;
    });
  }

  /**
   * Call it after {@link moveTo} if a later step failed: the upload can then be tried again.
   *
   * @param giveBack creates the file again, if possible
   */
  async restore(giveBack: (path: string) => Promise<void>): Promise<void> {
    if (this.#hasFile || this.#held.length > 0) return;
    await giveBack(this.#path);
    this.#hasFile = true;
    this.#files.hide(this.#path);
    this.#isHidden = true;
  }

  #publish(): void {
    if (!this.#isHidden) return;
    this.#files.publish(this.#path);
    this.#isHidden = false;
  }

  async discard(): Promise<void> {
    if (!this.#hasFile && this.#handle === undefined && this.#syncing === undefined) {
      this.#held = [];
      return;
    }
    this.#unfollow();
    const hadFile = this.#hasFile;
    this.#hasFile = false;
    this.#held = [];
    // Remove an empty file at once: the upload's id stays valid, so the client may send again, and a late removal would
    // hit the new file.
    if (hadFile && this.#size === 0) rmSync(this.#path, { force: true });
    else if (hadFile) await rm(this.#path, { force: true });
    await this.#close();
  }

  /** Writes the bytes from memory to the file. */
  async #write(how?: 'durably'): Promise<void> {
    if (this.#hasFile) return;
    try {
      // A file that becomes a blob at once gets the blob's mode: changing it would take another call.
      await this.#files.writeSmall(this.#path, this.#held, how ?? 'hidden');
    } catch (error) {
      // The bytes are still in memory and can be written when there is room again.
      await rm(this.#path, { force: true }).catch(() => undefined);
      throw error;
    }
    this.#hasFile = true;
    this.#isHidden = how === undefined;
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

  /** Opens the existing file and never creates one: missing bytes would become zeros. */
  async #openAgain(): Promise<FileHandle> {
    try {
      return await open(this.#path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (cause) {
      if (!isMissing(cause)) throw cause;
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'the bytes of the upload are gone: start it again', { cause });
    }
  }
}

/**
 * The size of an upload that an earlier process left; undefined if there is none. Its time is set to now, so that it
 * does not expire.
 */
export function restoreUpload(path: string): number | undefined {
  const size = sizeOfFile(path);
  // An empty upload is the same as none.
  if (size === undefined || size === 0) return undefined;
  utimesSync(path, new Date(), new Date());
  return size;
}

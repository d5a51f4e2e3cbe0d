// Looking at and reading the files that hold blobs and manifests. Symbolic links are never followed.
import { closeSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistryError } from '../../../model/index.ts';
import type { ByteReader, ResolvedRange } from '../../../model/index.ts';

import {
  fileReader,
  hasCode,
  isMissing,
  kindOf,
  NotAFileError,
  partsReader,
  readRegularNow,
  statsOf,
} from '../../disk/index.ts';

import { entriesOf, hasEntries, noFollow } from './reading.ts';
import type { Warn } from './warn.ts';

/** The size of a regular file, as {@link statsOfFile} finds it. */
export function sizeOfFile(path: string, warn?: Warn): number | undefined {
  return statsOfFile(path, warn)?.size;
}

/**
 * The stats of a regular file; undefined if there is none, or if it is something else, such as a link or a FIFO.
 * Synchronous: `lstat` takes microseconds, a thread a hundred.
 *
 * @param warn called if it is something else
 */
export function statsOfFile(path: string, warn?: Warn): Stats | undefined {
  const stats = lookAt(path);
  if (stats?.isFile() === true) return stats;
  if (stats !== undefined)
    warn?.('content is no regular file: it counts as missing', { file: path, kind: kindOf(stats) });
  return undefined;
}

function lookAt(path: string): Stats | undefined {
  try {
    return statsOf(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * The error for a file that this process may not read, or whose path goes in circles. An operator has to mend that, and
 * needs the path. Any other error stays as it is.
 */
export function unreadable(path: string, cause: unknown): unknown {
  if (!hasCode(cause, 'EACCES', 'EPERM', 'ELOOP')) return cause;
  return new RegistryError('UNAVAILABLE', `${path} cannot be read: ${String(cause)}`, { cause });
}

/** True if this file has exactly these bytes. An unreadable file counts as different. */
export function isFileOf(path: string, bytes: Uint8Array): boolean {
  if (sizeOfFile(path) !== bytes.length) return false;
  try {
    return readRegularNow(path, noFollow).equals(bytes);
  } catch {
    return false;
  }
}

/** Whether a layout has any blob or manifest. */
export async function hasBlobs(layout: string): Promise<boolean> {
  const blobs = join(layout, 'blobs');
  for (const { name } of await entriesOf(blobs)) if (hasEntries(join(blobs, name))) return true;
  return false;
}

/** Bytes. Up to this size, a synchronous read is faster than one on a thread. */
const small = 64 * 1024;

/**
 * Opens a part of a file for reading.
 *
 * @throws RegistryError BLOB_UNKNOWN if the file is gone
 */
export function readerOf(path: string, range: ResolvedRange): Promise<ByteReader> {
  return range.end - range.start <= small ? Promise.resolve(readSmall(path, range)) : openReader(path, range);
}

function readSmall(path: string, { start, end }: ResolvedRange): ByteReader {
  const file = openBlobNow(path);
  let bytes: Buffer;
  try {
    bytes = readOpened(file, start, end);
  } finally {
    closeSync(file);
  }
  return {
    async readInto(buffer) {
      const count = bytes.copy(buffer);
      bytes = bytes.subarray(count);
      return count;
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Opens the file of a blob on this thread. Callers have just checked that it is a regular file, and if it no longer is,
 * this does not wait.
 *
 * @throws RegistryError BLOB_UNKNOWN if the file is gone
 */
export function openBlobNow(path: string): number {
  return missingIsUnknown(path, () => openSync(path, noFollow));
}

/** Reads a part of an open file on this thread. The file may have fewer bytes. */
export function readOpened(file: number, start: number, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end - start);
  for (let at = 0; at < bytes.length;) {
    const length = bytes.length - at;
    const count = missingIsUnknown('the blob', () => readSync(file, bytes, at, length, start + at));
    if (count === 0) return bytes.subarray(0, at);
    at += count;
  }
  return bytes;
}

async function openReader(path: string, range: ResolvedRange): Promise<ByteReader> {
  return fileReader(await openBlobFile(path), range.start);
}

/**
 * Opens a file for reading several parts of it.
 *
 * @throws RegistryError BLOB_UNKNOWN if the file is gone
 */
export async function partsReaderOf(path: string, first: ResolvedRange): Promise<ByteReader> {
  return partsReader(await openBlobFile(path), first.start);
}

/**
 * Opens the file of a blob.
 *
 * @throws RegistryError BLOB_UNKNOWN if the file is gone
 */
export async function openBlobFile(path: string): Promise<FileHandle> {
  return open(path, noFollow).catch((error: unknown) =>
    missingIsUnknown(path, (): never => {
      throw error;
    }),
  );
}

/** Callers have checked that the file exists: if it is missing now, it has just been deleted. */
function missingIsUnknown<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    if (!isMissing(cause) && !isNoFile(cause)) throw unreadable(path, cause);
    throw new RegistryError('BLOB_UNKNOWN', 'the blob has been deleted', { cause });
  }
}

/** True if an error says that there is something else than a regular file. */
export function isNoFile(error: unknown): boolean {
  return error instanceof NotAFileError || hasCode(error, 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EAGAIN');
}

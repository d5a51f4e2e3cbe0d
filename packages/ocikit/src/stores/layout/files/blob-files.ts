// Looking at and reading the files that hold blobs and manifests. Symbolic links are never followed.
import { closeSync, constants, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistryError } from '../../../model/index.ts';
import type { ByteReader, ResolvedRange } from '../../../model/index.ts';

import { fileReader, isMissing } from '../../disk/index.ts';

import { entriesOf, hasEntries } from './files.ts';

/** Flags for opening a file to read. A link that replaces the file after a check is not followed either. */
export const noFollow: number = constants.O_RDONLY | constants.O_NOFOLLOW;

/**
 * The size of a regular file; undefined if there is none, or if it is a link. Synchronous: `lstat` takes
 * microseconds, a thread a hundred.
 */
export function sizeOfFile(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : undefined;
}

/** True if this file has exactly these bytes. An unreadable file counts as different. */
export function isFileOf(path: string, bytes: Uint8Array): boolean {
  if (sizeOfFile(path) !== bytes.length) return false;
  try {
    const file = openSync(path, noFollow);
    try {
      return readFileSync(file).equals(bytes);
    } finally {
      closeSync(file);
    }
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
  let bytes = Buffer.allocUnsafe(end - start);
  const file = missingIsUnknown(() => openSync(path, noFollow));
  try {
    for (let at = 0; at < bytes.length;) {
      const count = readSync(file, bytes, at, bytes.length - at, start + at);
      if (count === 0) bytes = bytes.subarray(0, at);
      at += count;
    }
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

async function openReader(path: string, range: ResolvedRange): Promise<ByteReader> {
  const handle = await open(path, noFollow).catch((error: unknown) =>
    missingIsUnknown((): never => {
      throw error;
    }),
  );
  return fileReader(handle, range.start);
}

/** Callers have checked that the file exists: if it is missing now, it has just been deleted. */
function missingIsUnknown<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new RegistryError('BLOB_UNKNOWN', 'the blob has been deleted', { cause });
  }
}

import { closeSync, constants, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { mediaTypes, RegistryError } from '../../../model/index.ts';
import type { ByteReader, Descriptor, Digest, ResolvedRange } from '../../../model/index.ts';

import { fileReader } from '../../disk/index.ts';

import { entriesOf, hasEntries, isMissing } from './files.ts';

/** A link that takes the place of a file after it was looked at is not followed either. */
export const noFollow: number = constants.O_RDONLY | constants.O_NOFOLLOW;

/** Undefined if there is no such file; a link is none. A look at a name takes microseconds; handing it to a thread takes a hundred. */
export function sizeOfFile(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : undefined;
}

/** Whether there is a file that has these bytes. One that cannot be read is none. */
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

export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

/** Whether a layout has any blob or manifest. */
export async function hasBlobs(layout: string): Promise<boolean> {
  const blobs = join(layout, 'blobs');
  for (const { name } of await entriesOf(blobs)) if (hasEntries(join(blobs, name))) return true;
  return false;
}

/** Up to here, reading takes less time than handing it to a thread. */
const small = 64 * 1024;

/** The bytes of a file, a part of them. */
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

/** A file that was there a moment ago has been deleted. */
function missingIsUnknown<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new RegistryError('BLOB_UNKNOWN', 'the blob has been deleted', { cause });
  }
}

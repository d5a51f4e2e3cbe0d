import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { mediaTypes, RegistryError } from '../../model/index.ts';
import type { ByteReader, Descriptor, Digest, ResolvedRange } from '../../model/index.ts';

import { isMissing } from './files.ts';

/** A link that takes the place of a file after it was looked at is not followed either. */
export const noLinks: number = constants.O_RDONLY | constants.O_NOFOLLOW;

/** Undefined if there is no such file; a link is none. A look at a name takes microseconds; handing it to a thread takes a hundred. */
export function sizeOfFile(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : undefined;
}

export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

export async function readerOf(path: string, range: ResolvedRange): Promise<ByteReader> {
  let handle: FileHandle;
  try {
    handle = await open(path, noLinks);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new RegistryError('BLOB_UNKNOWN', 'the blob has been deleted', { cause });
  }
  let position = range.start;
  return {
    async readInto(buffer) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      position += bytesRead;
      return bytesRead;
    },
    close: () => handle.close(),
  };
}

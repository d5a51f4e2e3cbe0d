import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { RegistryError } from '../../model/index.ts';
import type { ByteReader, ResolvedRange } from '../../model/index.ts';

import { isMissing } from './files.ts';
import { noLinks } from './layout.ts';

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

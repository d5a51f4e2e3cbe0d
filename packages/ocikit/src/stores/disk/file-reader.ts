// Reading an open file.
import type { FileHandle } from 'node:fs/promises';

import type { ByteReader } from '../../model/index.ts';

/** Reads an open file from byte `start` on. Closing the reader closes the file. */
export function fileReader(handle: FileHandle, start: number): ByteReader {
  let position = start;
  return {
    async readInto(buffer) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      position += bytesRead;
      return bytesRead;
    },
    close: () => handle.close(),
  };
}

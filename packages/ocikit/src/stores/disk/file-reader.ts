import type { FileHandle } from 'node:fs/promises';

import type { ByteReader } from '../../model/index.ts';

/** Reads an open file from a byte on. The file is closed with it. */
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

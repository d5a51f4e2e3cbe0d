// Reading an open file.
import { readSync } from 'node:fs';
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

/** Bytes. Up to this size, a read on this thread takes less time than one on another thread. */
const small = 64 * 1024;
/** Bytes that are read on this thread before other work gets its turn. */
const mostAtOnce = 512 * 1024;

/** Reads several parts of an open file, from byte `start` on. Closing the reader closes the file. */
export function partsReader(handle: FileHandle, start: number): ByteReader {
  let position = start;
  let atOnce = 0;
  return {
    async readInto(buffer) {
      const isShort = buffer.length <= small && atOnce + buffer.length <= mostAtOnce;
      atOnce = isShort ? atOnce + buffer.length : 0;
      const count = isShort
        ? readSync(handle.fd, buffer, 0, buffer.length, position)
        : (await handle.read(buffer, 0, buffer.length, position)).bytesRead;
      position += count;
      return count;
    },
    moveTo(part) {
      position = part.start;
    },
    close: () => handle.close(),
  };
}

// Opening files that may be something else by now: a FIFO would hang a thread, and with four of them the process.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { isMissing } from './file-errors.ts';

/** Flags for opening a file to read, without waiting for a process at the other end of a FIFO. */
export const readWithoutWaiting: number = constants.O_RDONLY | constants.O_NONBLOCK;

/** A path has something else than a regular file. The message names both. */
export class NotAFileError extends Error {
  override readonly name = 'NotAFileError';

  constructor(path: string, stats: Stats) {
    super(`${path} is ${kindOf(stats)}, but must be a regular file: remove it`);
  }
}

/** The kind of a file that is no regular file, with its article. */
export function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  if (stats.isSymbolicLink()) return 'a symbolic link';
  return stats.isFile() ? 'a regular file' : 'a device';
}

/**
 * Opens a regular file.
 *
 * @param flags with `O_NOFOLLOW`, a symbolic link is none
 * @throws NotAFileError
 */
export async function openRegular(path: string, flags: number = readWithoutWaiting): Promise<FileHandle> {
  // Before opening: opening a device may have effects.
  assertRegular(path, flags);
  const handle = await open(path, flags | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new NotAFileError(path, stats);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Like {@link openRegular}, on this thread. */
export function openRegularNow(path: string, flags: number = readWithoutWaiting): number {
  assertRegular(path, flags);
  const file = openSync(path, flags | constants.O_NONBLOCK);
  const stats = fstatSync(file);
  if (stats.isFile()) return file;
  closeSync(file);
  throw new NotAFileError(path, stats);
}

/**
 * Reads a regular file as a whole.
 *
 * @param flags see {@link openRegular}
 * @throws NotAFileError
 */
export async function readRegular(path: string, flags?: number): Promise<Buffer> {
  const handle = await openRegular(path, flags);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Like {@link readRegular}, on this thread: for small files that is several times faster. */
export function readRegularNow(path: string, flags?: number): Buffer {
  const file = openRegularNow(path, flags);
  try {
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function assertRegular(path: string, flags: number): void {
  const stats = statsOf(path, (flags & constants.O_NOFOLLOW) === 0 ? statSync : lstatSync);
  // Opening reports a missing file.
  if (stats !== undefined && !stats.isFile()) throw new NotAFileError(path, stats);
}

/**
 * The stats of a file, also if a file is in place of one of its directories: `throwIfNoEntry` is only for a missing
 * entry.
 *
 * @param look `statSync`, or `lstatSync` so that links are not followed
 * @returns undefined if there is no such file
 */
export function statsOf(path: string, look: typeof lstatSync = lstatSync): Stats | undefined {
  try {
    return look(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

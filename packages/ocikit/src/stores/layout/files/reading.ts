// Looking at files below a root: reading them, listing directories, and telling whether a file has changed.
import { constants, lstatSync, opendirSync, readdirSync, statSync } from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistryError } from '../../../model/index.ts';
import { isMissing, NotAFileError, readRegular, readWithoutWaiting } from '../../disk/index.ts';

/** Flags for opening a file to read. A link or a FIFO that replaces the file after a check does no harm either. */
export const noFollow: number = readWithoutWaiting | constants.O_NOFOLLOW;

/**
 * Checks every component of a path below `root`; `root` itself may be a link.
 *
 * @throws RegistryError UNAVAILABLE if a component is a symbolic link
 */
export function assertInside(root: string, components: readonly string[]): void {
  let path = root;
  for (const component of components) {
    path = join(path, component);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) {
      throw new RegistryError('UNAVAILABLE', `${path} is a symbolic link: links below the root are not followed`);
    }
  }
}

/**
 * Reads a file of the store's own.
 *
 * @throws RegistryError UNAVAILABLE if the file exists and cannot be read. The error names the file: Node names it
 *   only if opening fails
 */
export async function readWhole(path: string): Promise<Buffer> {
  try {
    return await readRegular(path, noFollow);
  } catch (cause) {
    if (isMissing(cause)) throw cause;
    if (cause instanceof NotAFileError) throw new RegistryError('UNAVAILABLE', cause.message, { cause });
    throw new RegistryError('UNAVAILABLE', `${path} cannot be read: ${String(cause)}`, { cause });
  }
}

/**
 * The entries of a directory; none if there is no such directory. An unreadable directory is an error, never empty.
 */
export async function entriesOf(dir: string): Promise<Dirent[]> {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (cause) {
    return noneIfMissing(dir, cause);
  }
}

/** The names of the {@link entriesOf} a directory: half the time, if there are many. */
export async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    return noneIfMissing(dir, cause);
  }
}

function noneIfMissing(dir: string, cause: unknown): never[] {
  if (isMissing(cause)) return [];
  throw new RegistryError('UNAVAILABLE', `${dir} cannot be listed: ${String(cause)}`, { cause });
}

/**
 * A text that changes when a file is replaced or its content changes, found without reading it; empty if there is
 * none. A link counts as itself: it is not followed.
 */
export async function identityOf(path: string): Promise<string> {
  try {
    return formatIdentity(await lstat(path, { bigint: true }));
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** The {@link identityOf} a file at this moment. Synchronous: `stat` takes microseconds, a thread a hundred. */
export function identityNow(path: string): string {
  try {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? '' : formatIdentity(stats);
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** The {@link identityOf} a file, from its stats. */
export function formatIdentity({
  ino,
  size,
  mtimeNs,
  ctimeNs,
}: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** When a file was modified last, in milliseconds since the epoch, from its {@link identityOf}. */
export function modifiedAt(identity: string): number {
  return Number(BigInt(identity.split(' ')[2] ?? 0) / 1_000_000n);
}

/** Bytes of a directory up to which listing all of it takes a third of the time of its first entry. */
const smallDirectory = 16 * 1024;

/** True if a directory has entries. In a large one, only the first is read. */
export function hasEntries(dir: string): boolean {
  try {
    const size = statSync(dir, { throwIfNoEntry: false })?.size;
    if (size === undefined) return false;
    // Some file systems do not tell the size.
    if (size > 0 && size <= smallDirectory) return readdirSync(dir).length > 0;
    const directory = opendirSync(dir);
    try {
      return directory.readSync() !== null;
    } finally {
      directory.closeSync();
    }
  } catch (cause) {
    return noneIfMissing(dir, cause).length > 0;
  }
}

// Saving the times of last use when a process ends, and reading them when the next one starts.
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { hasCode, isMissing } from '../../disk/index.ts';
import { inSlices, readWhole } from '../files/index.ts';
import type { Files, Warn } from '../files/index.ts';

import type { UsedTimes } from './used-times.ts';

interface Head {
  /** Milliseconds since the epoch. */
  unknownUntil?: number | undefined;
}

interface Options {
  root: string;
  /** The path of the file. It exists only while no process writes to the root, so after a crash there is none. */
  path: string;
  files: Files;
  warn: Warn;
}

/**
 * Reads the times that the previous writer saved. If it did not end cleanly there are none, and everything counts as
 * used now, because its last uses are unknown.
 */
export async function takeUsedTimes(used: UsedTimes, options: Options): Promise<void> {
  const { path, files } = options;
  if (!(await readUsedTimes(used, options, Date.now()))) return;
  // Remove the file before any use that it does not contain.
  await rm(path, { force: true }).catch((error: unknown) => {
    if (!hasCode(error, 'EISDIR', 'ERR_FS_EISDIR')) throw error;
  });
  await files.syncDirectoryOf(path);
}

/**
 * Reads the times that the previous writer saved, and leaves the file.
 *
 * @param now milliseconds since the epoch; the time of use of all content if there is no file, or it cannot be read
 * @returns false if there is no file
 */
export async function readUsedTimes(
  used: UsedTimes,
  { root, path, warn }: Pick<Options, 'root' | 'path' | 'warn'>,
  now: number,
): Promise<boolean> {
  try {
    const [head = '', ...lines] = (await readWhole(path)).toString().trimEnd().split('\n');
    const { unknownUntil } = JSON.parse(head) as Head;
    const times = lines.map((line) => JSON.parse(line) as [string, number]);
    used.restore(times.map(([file, time]) => [join(root, file), time]));
    if (unknownUntil !== undefined) used.setUnknownUntil(unknownUntil);
  } catch (error) {
    used.setUnknownUntil(now);
    if (isMissing(error)) return false;
    warn('the times of last use cannot be read: all content counts as used now', { file: path, error });
  }
  return true;
}

/** Saves the times for the next process: as many as {@link UsedTimes} keeps in memory. */
export async function leaveUsedTimes(used: UsedTimes, { root, path, files, warn }: Options): Promise<void> {
  try {
    await used.settled();
    await files.replace(path, inSlices(linesOf(used, root)));
  } catch (error) {
    warn('the times of last use cannot be saved: all content will count as used at the next start', {
      file: path,
      error,
    });
  }
}

function* linesOf(used: UsedTimes, root: string): Generator<string> {
  const head: Head = { unknownUntil: used.unknownUntil };
  yield `${JSON.stringify(head)}\n`;
  for (const [path, time] of used) yield `${JSON.stringify([relative(root, path), time])}\n`;
}

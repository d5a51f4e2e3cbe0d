import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { inSlices, isMissing, readWhole } from '../files/index.ts';
import type { Files, Warn } from '../files/index.ts';

import type { UsedTimes } from './used-times.ts';

interface Head {
  /** Milliseconds of the epoch. */
  unknownUntil?: number | undefined;
}

interface Options {
  root: string;
  /** The file. It is there only while nobody writes to the root: a crash leaves none. */
  path: string;
  files: Files;
  warn: Warn;
}

/**
 * What is known of the last uses after a process has become the one that writes. If the one before it came to its end,
 * it has left all of it. If not, nobody knows what it promised at last: everything counts as used now.
 */
export async function takeUsedTimes(used: UsedTimes, { root, path, files, warn }: Options): Promise<void> {
  try {
    const [head = '', ...lines] = (await readWhole(path)).toString().trimEnd().split('\n');
    const { unknownUntil } = JSON.parse(head) as Head;
    const times = lines.map((line) => JSON.parse(line) as [string, number]);
    used.restore(times.map(([file, time]) => [join(root, file), time]));
    if (unknownUntil !== undefined) used.setUnknownUntil(unknownUntil);
  } catch (error) {
    used.setUnknownUntil(Date.now());
    if (isMissing(error)) return;
    warn('when content was used last cannot be read: all of it counts as used now', { file: path, error });
  }
  // Before anything is promised that it does not say.
  await rm(path, { force: true });
  await files.syncDirectoryOf(path);
}

/** Leaves what is known to the next process. At most as much as {@link UsedTimes} keeps in memory. */
export async function leaveUsedTimes(used: UsedTimes, { root, path, files, warn }: Options): Promise<void> {
  try {
    await used.settled();
    await files.replace(path, inSlices(linesOf(used, root)));
  } catch (error) {
    warn('when content was used last cannot be written: all of it will count as used at the next start', {
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

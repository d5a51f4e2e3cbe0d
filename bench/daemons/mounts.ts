// Mounts that a daemon has left behind.
import { readFile } from 'node:fs/promises';
import { sep } from 'node:path';

import { run } from '../programs.ts';

/** Unmounts the mounts below a directory, so that the directory can be removed. */
export async function unmountBelow(directory: string): Promise<void> {
  for (const mount of await mountsBelow(directory)) await run('umount', [mount]);
}

/** Returns the mounts below a directory, the deepest first. */
async function mountsBelow(directory: string): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(directory + sep))
    .toReversed();
}

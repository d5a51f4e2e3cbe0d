// The newest clients of Debian, in a directory of their own: see test/newest/forky.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { isExecutable, locate, run } from '../programs.ts';
import type { FindCommand } from './commands.ts';

const script = fileURLToPath(new URL('../../../test/newest/forky', import.meta.url));

/** Makes the directory of the newest clients if it is missing, and mounts what they need. Takes minutes, and root. */
export async function prepareNewest(): Promise<FindCommand> {
  await run(script, ['make'], { timeout: 900_000 });
  await run(script, ['enter'], { timeout: 60_000 });
  const root = (await run(script, ['path'])).stdout.trim();
  return async (program) => {
    for (const directory of ['/usr/bin', '/usr/sbin']) {
      if (await isExecutable(join(root, directory, program))) {
        return { file: 'chroot', args: [root, join(directory, program)] };
      }
    }
    // Debian has no crane.
    return findHere(program);
  };
}

/** Finds a program of this machine. */
export const findHere: FindCommand = async (program) => {
  const file = await locate(program);
  return file === undefined ? undefined : { file, args: [] };
};

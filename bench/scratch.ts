// The working directory of a run.
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { unmountBelow } from './daemons/mounts.ts';
import { run } from './programs.ts';

const tmpfs = 0x01_02_19_94;

/** The directory for everything that a run writes. It is removed at the very end, as deleting slows the disk. */
export interface Scratch {
  readonly directory: string;
  /** Returns a path that does not exist yet. */
  newPath(name: string): string;
  /** Removes one of these paths early, to make room for much more data. */
  removePath(path: string): Promise<void>;
  remove(): Promise<void>;
}

export async function makeScratch(parent: string | undefined): Promise<Scratch> {
  const directory = await mkdtemp(join(parent ?? (await placeOnDisk()), 'ocikit-bench-'));
  let count = 0;
  return {
    directory,
    newPath: (name) =>
      join(directory, `${String((count += 1)).padStart(3, '0')}-${name.replaceAll(/[^a-z0-9]+/g, '-')}`),
    removePath: (path) => rm(path, { recursive: true, force: true, maxRetries: 3 }),
    async remove() {
      // A client with a storage of its own may leave mounts behind.
      await unmountBelow(directory);
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Syncs all earlier writes to the disk, and waits until the machine is idle. A quick run waits for no disk. */
export async function settle({ pause, quick }: { readonly pause: number; readonly quick: boolean }): Promise<void> {
  if (!quick) await run('sync', []);
  await delay(pause);
}

export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/**
 * Returns a directory on a disk. The usual directory for temporary files may be in memory, where writing is too cheap.
 */
async function placeOnDisk(): Promise<string> {
  const usual = tmpdir();
  return (await statfs(usual)).type === tmpfs ? '/var/tmp' : usual;
}

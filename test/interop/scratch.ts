import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';

import { afterAll, beforeAll } from 'vitest';

import { run } from './run.ts';

export interface Scratch {
  /** A path where nothing is yet. */
  newPath(): string;
}

/** A directory for what the tests of one file or one `describe` make. */
export function useScratch(): Scratch {
  let directory: string | undefined;
  let paths = 0;
  beforeAll(async () => {
    directory = await makeScratch();
  });
  afterAll(async () => {
    if (directory !== undefined) await removeScratch(directory);
  });
  return {
    newPath() {
      if (directory === undefined)
        throw new Error('the directory is made before the tests, not while they are collected');
      return join(directory, `${(paths += 1)}`);
    },
  };
}

/**
 * A new directory for what a test makes. The name is short: a Unix socket's path has 108 bytes. It has no capital letter:
 * Podman makes the path of a layout an image's name.
 */
export async function makeScratch(parent: string = tmpdir()): Promise<string> {
  const directory = join(parent, `ocikit-${randomBytes(4).toString('hex')}`);
  await mkdir(directory, { mode: 0o700 });
  return directory;
}

/** Removes such a directory, after it has unmounted what a client's storage left mounted there. */
export async function removeScratch(directory: string): Promise<void> {
  for (const mount of await mountsBelow(directory)) await run('umount', [mount]);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** The deepest first. */
async function mountsBelow(directory: string): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(directory + sep))
    .toReversed();
}

// Temporary directories of tests.
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll } from 'vitest';

import { unmountBelow } from '../../bench/daemons/mounts.ts';

export interface Scratch {
  /** Returns a path that does not exist yet. */
  newPath(): string;
}

/** A temporary directory for the tests of one file or one `describe`. */
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
 * Creates a temporary directory. Its name is short, as the path of a Unix socket has at most 108 bytes. It has no
 * capital letters, as Podman uses the path of a layout as the name of an image.
 */
export async function makeScratch(parent: string = tmpdir()): Promise<string> {
  const directory = join(parent, `ocikit-${randomBytes(4).toString('hex')}`);
  await mkdir(directory, { mode: 0o700 });
  return directory;
}

/** Removes a temporary directory, after unmounting the mounts that a client has left there. */
export async function removeScratch(directory: string): Promise<void> {
  await unmountBelow(directory);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

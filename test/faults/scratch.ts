import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll } from 'vitest';

export interface Scratch {
  /** A new and empty directory. */
  newDirectory(): Promise<string>;
}

/** A place for what the tests of a file make, which is removed after them. */
export function useScratch(): Scratch {
  let top = '';
  let count = 0;
  beforeAll(async () => {
    top = await mkdtemp(join(tmpdir(), 'ocikit-faults-'));
    // Some servers run as somebody who may do less.
    await chmod(top, 0o755);
  });
  afterAll(async () => {
    await rm(top, { recursive: true, force: true, maxRetries: 3 });
  });
  return {
    async newDirectory() {
      const dir = join(top, `${++count}`);
      await mkdir(dir);
      return dir;
    },
  };
}

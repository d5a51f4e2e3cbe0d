// Temporary directories of a test file.
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll } from 'vitest';

export interface Scratch {
  /** Creates an empty directory. */
  newDirectory(): Promise<string>;
}

/** The temporary directories of a test file, removed after its tests. */
export function useScratch(): Scratch {
  let top = '';
  let count = 0;
  beforeAll(async () => {
    top = await mkdtemp(join(tmpdir(), 'ocikit-faults-'));
    // Some servers run as a user with fewer rights.
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

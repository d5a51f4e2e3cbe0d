// Directories for the time of a test.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

/** Makes an empty directory, for as long as the test runs. */
export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

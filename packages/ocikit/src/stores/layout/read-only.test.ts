// Directories that are only read.
import { readdir } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import type { Registry } from '../../model/index.ts';
import { randomBlob } from '../../testing/index.ts';

import { openLayout, openLayouts } from './open-layout.ts';

test.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
])('%s that is only read refuses every write, uploads among them, and writes no file', async (_kind, open) => {
  const directory = await temporaryDirectory();
  const { descriptor, bytes } = randomBlob(100);
  const { digest } = descriptor;
  const writer = open(directory);
  await writer.pushBlob('app', descriptor, bytes);
  const paused = await writer.startUpload('app');
  await paused.append(bytes.subarray(0, 50));

  const files = async (): Promise<string[]> => (await readdir(directory, { recursive: true })).toSorted();
  const before = await files();
  const reader = open(directory, { readOnly: true });
  const writes: Record<string, (registry: Registry) => Promise<unknown>> = {
    pushBlob: (registry) => registry.pushBlob('new', descriptor, bytes),
    startUpload: (registry) => registry.startUpload('app'),
    resumeUpload: (registry) => registry.resumeUpload('app', paused.id),
    mountBlob: (registry) => registry.mountBlob('app', 'new', digest),
    deleteBlob: (registry) => registry.deleteBlob('app', digest),
  };
  for (const [name, write] of Object.entries(writes)) {
    await expect(write(reader), name).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  }
  expect((await reader.resolveBlob('app', digest)).size).toBe(100);
  await reader.close();
  expect(await files()).toEqual(before);
  await paused.append(bytes.subarray(50));
  expect((await paused.commit(digest)).size).toBe(100);
  await writer.close();
});

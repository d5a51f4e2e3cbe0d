import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { fileReader } from './file-reader.ts';

test('reads a file from a byte to its end, and closes it', async () => {
  const path = join(await temporaryDirectory(), 'file');
  await writeFile(path, '0123456789');
  const handle = await open(path);
  const reader = fileReader(handle, 3);
  const buffer = new Uint8Array(4);
  let text = '';
  for (let count = 0; (count = await reader.readInto(buffer)) > 0;) text += Buffer.from(buffer.subarray(0, count));
  expect(text).toBe('3456789');
  expect(await reader.readInto(buffer)).toBe(0);
  await reader.close();
  await expect(handle.stat()).rejects.toMatchObject({ code: 'EBADF' });
});

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it, vi } from 'vitest';

import { UsedTimes } from './used-times.ts';

it('knows the newest of a use and the time of the file', () => {
  const used = new UsedTimes();
  const before = Date.now();
  expect(used.of('/x', 5)).toBe(5);
  used.touch('/x');
  expect(used.of('/x', 5)).toBeGreaterThanOrEqual(before);
  expect(used.of('/x', before + 100_000)).toBe(before + 100_000);
  used.forget('/x');
  expect(used.of('/x', 5)).toBe(5);
});

it('writes the older times to the files when there are very many', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-used-'));
  const path = join(dir, 'old');
  await writeFile(path, '');
  const { mtimeMs } = await stat(path);
  vi.useFakeTimers({ now: Date.now() + 100_000, toFake: ['Date'] });
  try {
    const used = new UsedTimes(4);
    for (const name of [path, '/b', '/c', '/d', '/e']) used.touch(name);
    await vi.waitFor(async () => expect((await stat(path)).mtimeMs).toBeGreaterThan(mtimeMs + 90_000));
    expect(used.of(path, 1)).toBe(1);
    expect(used.of('/e', 1)).toBeGreaterThan(mtimeMs + 90_000);
  } finally {
    vi.useRealTimers();
    await rm(dir, { recursive: true });
  }
});

import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test, vi } from 'vitest';

import { eventually } from '../../../../test/eventually.ts';
import { UsedTimes } from './used-times.ts';

test('knows the newest of a use and the time of the file', () => {
  const used = new UsedTimes();
  const before = Date.now();
  expect(used.of('/x', 5)).toBe(5);
  used.touch('/x');
  expect(used.of('/x', 5)).toBeGreaterThanOrEqual(before);
  expect(used.of('/x', before + 100_000)).toBe(before + 100_000);
  used.forget('/x');
  expect(used.of('/x', 5)).toBe(5);
});

test('gives no time to a file that has it, as it was pushed just before, unless the clock has been set since', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-used-'));
  const names = ['pushed', 'pushed and named', 'pushed before', 'pushed, clock set'];
  const paths = names.map((name) => join(dir, name));
  const old = new Date(1_000_000_000_000);
  // So that it can be seen which ones are given another.
  for (const path of paths) {
    await writeFile(path, '');
    await utimes(path, old, old);
  }
  const timesOf = async (): Promise<boolean[]> =>
    Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs !== old.getTime()));
  try {
    const used = new UsedTimes(8);
    const now = Date.now();
    for (const path of paths) used.touch(path, path === paths[2] ? now - 60_000 : now);
    used.touch(join(dir, 'pushed and named'));
    used.touch(paths[3] ?? '', now - 365 * 24 * 3_600_000);
    for (const name of ['a', 'b', 'c', 'd', 'e']) used.touch(join(dir, name));
    await used.settled();
    expect(await timesOf()).toEqual([false, false, true, true]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('knows an older time also while it is being written to the file', async () => {
  const used = new UsedTimes(4);
  const before = Date.now();
  const names = ['/none/a', '/none/b', '/none/c', '/none/d', '/none/e'];
  for (const name of names) used.touch(name);
  for (const name of names) expect(used.of(name, 5)).toBeGreaterThanOrEqual(before);
  await used.settled();
  expect(used.of('/none/a', 5)).toBe(5);
});

test('writes the older times to the files when there are very many', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-used-'));
  const path = join(dir, 'old');
  await writeFile(path, '');
  const { mtimeMs } = await stat(path);
  vi.useFakeTimers({ now: Date.now() + 100_000, toFake: ['Date'] });
  try {
    const used = new UsedTimes(4);
    for (const name of [path, '/b', '/c', '/d', '/e']) used.touch(name);
    await eventually(async () => expect((await stat(path)).mtimeMs).toBeGreaterThan(mtimeMs + 90_000));
    await used.settled();
    expect(used.of(path, 1)).toBe(1);
    expect(used.of('/e', 1)).toBeGreaterThan(mtimeMs + 90_000);
  } finally {
    vi.useRealTimers();
    await rm(dir, { recursive: true });
  }
});

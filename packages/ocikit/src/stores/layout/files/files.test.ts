import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Files, isTemporaryName } from './files.ts';
import { assertInside, hasEntries } from './reading.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-files-'));
});
afterEach(() => rm(dir, { recursive: true }));

for (const durability of ['fsync', 'none'] as const) {
  describe(`writing files with the durability ${durability}`, () => {
    test('replaces a file whole, and leaves nothing else', async () => {
      const files = new Files(durability);
      const path = join(dir, 'a/b/file');
      await files.replace(path, [Buffer.from('old')]);
      await files.replace(path, [Buffer.from('new'), Buffer.from('er')]);
      expect(await readFile(path, 'utf8')).toBe('newer');
      expect(await readdir(join(dir, 'a/b'))).toEqual(['file']);
    });

    test('leaves the old file and nothing else when the content fails in the middle', async () => {
      const files = new Files(durability);
      const path = join(dir, 'file');
      await files.replace(path, [Buffer.from('old')]);
      const content = function* (): Generator<Buffer> {
        yield Buffer.from('new');
        throw new Error('no more');
      };
      await expect(files.replace(path, content())).rejects.toThrow('no more');
      expect(await readFile(path, 'utf8')).toBe('old');
      expect(await readdir(dir)).toEqual(['file']);
    });

    test('makes a removed directory again', async () => {
      const files = new Files(durability);
      await files.replace(join(dir, 'a/b/one'), [Buffer.from('1')]);
      await rm(join(dir, 'a'), { recursive: true });
      await files.replace(join(dir, 'a/b/two'), [Buffer.from('2')]);
      await rm(join(dir, 'a'), { recursive: true });
      await writeFile(join(dir, 'three'), '3');
      await files.moveInto(join(dir, 'three'), join(dir, 'a/b/three'));
      expect(await readdir(join(dir, 'a/b'))).toEqual(['three']);
    });

    test('syncs a directory once for all callers that ask at the same time', async () => {
      const files = new Files(durability);
      await Promise.all(Array.from({ length: 20 }, () => files.syncDirectory(dir)));
      await files.syncDirectory(dir);
      const missing = files.syncDirectory(join(dir, 'none'));
      await (durability === 'none'
        ? expect(missing).resolves.toBeUndefined()
        : expect(missing).rejects.toThrow('ENOENT'));
      await files.syncDirectoryOf(join(dir, 'none/file'));
    });
  });
}

test('knows the names of what is not whole yet', async () => {
  expect(isTemporaryName('.0123456789abcdef.tmp')).toBe(true);
  for (const name of ['index.json', '.tmp', 'a.0123456789abcdef.tmp', '.0123456789abcdef.tmp2']) {
    expect(isTemporaryName(name)).toBe(false);
  }
});

test('refuses a way that leads through a symbolic link, and no other', async () => {
  const files = new Files('none');
  await files.makeDirectory(join(dir, 'a/b'));
  await symlink('/etc', join(dir, 'a/link'));
  assertInside(dir, ['a', 'b']);
  assertInside(dir, ['a', 'none', 'b']);
  expect(() => assertInside(dir, ['a', 'link', 'b'])).toThrow(/is a symbolic link/);
  expect((await stat(join(dir, 'a/link'))).isDirectory()).toBe(true);
});

describe('many small files', () => {
  test('leave timers their turn, though nothing is waited for', async () => {
    const small = new Files('none');
    const over = new AbortController();
    setTimeout(() => over.abort(), 30);
    let count = 0;
    while (!over.signal.aborted && count < 100_000)
      await small.writeSmall(join(dir, 'many', `${count++}`), [Buffer.from('x')]);
    expect(over.signal.aborted).toBe(true);
  });
});

test('a directory that cannot be looked into is not taken for an empty one', async () => {
  expect(hasEntries(dir)).toBe(false);
  expect(hasEntries(join(dir, 'none'))).toBe(false);
  await writeFile(join(dir, 'file'), '');
  expect(hasEntries(dir)).toBe(true);
  expect(() => hasEntries(`${dir}\0`)).toThrow(/cannot be listed/);
});

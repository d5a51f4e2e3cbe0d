import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { RootLock } from './lock.ts';

let dir: string;
let path: string;
const locks: RootLock[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-lock-'));
  path = join(dir, 'lock');
});
afterEach(async () => {
  for (const lock of locks.splice(0)) await lock.release();
  await rm(dir, { recursive: true });
});

async function acquire(): Promise<RootLock> {
  const lock = await RootLock.acquire(dir);
  locks.push(lock);
  return lock;
}

/** The lock of this process, with something about it changed. */
async function leave(change: Record<string, unknown>): Promise<void> {
  const lock = await RootLock.acquire(dir);
  const owner = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await lock.release();
  await writeFile(path, JSON.stringify({ ...owner, nonce: 'another', ...change }));
}

async function makeOld(): Promise<void> {
  await utimes(path, new Date(Date.now() - 31_000), new Date(Date.now() - 31_000));
}

describe('the lock of a root', () => {
  it('is had by one, and names its owner to others', async () => {
    const lock = await acquire();
    await expect(RootLock.acquire(dir)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`) as string,
      detail: { pid: process.pid, host: hostname() },
    });
    expect(() => lock.assertOwned()).not.toThrow();
  });

  it('is free for others when it is released, and no longer held', async () => {
    const first = await acquire();
    await first.release();
    expect(await readdir(dir)).toEqual([]);
    expect(() => first.assertOwned()).toThrow('must not write any more');
    const second = await acquire();
    await first.release();
    expect(() => second.assertOwned()).not.toThrow();
  });

  it.each([
    ['the machine was started again', { boot: 'another' }],
    ['there is no such process', { pid: 2 ** 30 }],
    ['the process is another of the same number', { started: '1' }],
  ])('is taken over at once if %s', async (_, change) => {
    await leave(change);
    const lock = await acquire();
    expect(() => lock.assertOwned()).not.toThrow();
    expect(await readdir(dir)).toEqual(['lock']);
  });

  it.each([
    ['of another host', async () => leave({ host: 'elsewhere' })],
    ['that is empty', async () => writeFile(path, '')],
    ['that is damaged', async () => writeFile(path, 'null')],
  ])('%s is taken over only after half a minute of silence', async (_, make) => {
    await make();
    await expect(RootLock.acquire(dir)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await makeOld();
    const lock = await acquire();
    expect(() => lock.assertOwned()).not.toThrow();
  });

  it('that was taken away and taken by another is noticed, whatever number its file has', async () => {
    const lock = await acquire();
    for (let i = 0; i < 20; i++) {
      await rm(path);
      await writeFile(path, '{}');
      expect(() => lock.assertOwned()).toThrow('was taken away');
    }
    await lock.release();
    expect(await readFile(path, 'utf8')).toBe('{}');
  });

  it('that is away for a moment is held again when it is put back', async () => {
    const lock = await acquire();
    await rename(path, `${path}.aside`);
    expect(() => lock.assertOwned()).toThrow('was taken away');
    await rename(`${path}.aside`, path);
    expect(() => lock.assertOwned()).not.toThrow();
  });

  it('goes to one of several who find it left', async () => {
    await leave({ boot: 'another' });
    const results = await Promise.allSettled(Array.from({ length: 8 }, acquire));
    const owners = locks.filter((lock) => {
      try {
        lock.assertOwned();
        return true;
      } catch {
        return false;
      }
    });
    expect(owners.length).toBe(1);
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    expect((await stat(path)).isFile()).toBe(true);
  });
});

import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

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

const acquiring = new Set<object>();

/** Resolves when no check of the lock is running: all waiters wait for a timer. */
async function looked(): Promise<void> {
  while (acquiring.size > 0 && vi.getTimerCount() === 0) await stat(dir);
}

/** So many seconds. A check of the lock meanwhile gets all the real time that the disk takes. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 4; i++) {
    await looked();
    await vi.advanceTimersByTimeAsync(250);
  }
  await looked();
}

/** Its outcome so far. */
function watch(promise: Promise<RootLock>): { state: unknown } {
  const watched: { state: unknown } = { state: 'waits' };
  acquiring.add(watched);
  const end = (state: unknown): void => {
    acquiring.delete(watched);
    watched.state = state;
  };
  promise.then(() => end('acquired'), end);
  return watched;
}

describe('the lock of a root', () => {
  test('is had by one, and names its owner to others', async () => {
    const lock = await acquire();
    await expect(RootLock.acquire(dir)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`) as string,
      detail: { pid: process.pid, host: hostname() },
    });
    expect(() => lock.assertOwned()).not.toThrow();
  });

  test('is free for others when it is released, and no longer held', async () => {
    const first = await acquire();
    await first.release();
    expect(await readdir(dir)).toEqual([]);
    expect(() => first.assertOwned()).toThrow('no longer holds');
    const second = await acquire();
    await first.release();
    expect(() => second.assertOwned()).not.toThrow();
  });

  test.each([
    ['the machine was started again', { boot: 'another' }],
    ['there is no such process', { pid: 2 ** 30 }],
    ['the process is another of the same number', { started: '1' }],
  ])('is taken over at once if %s', async (_, change) => {
    await leave(change);
    const lock = await acquire();
    expect(() => lock.assertOwned()).not.toThrow();
    expect(await readdir(dir)).toEqual(['lock']);
  });

  describe('whose owner cannot be looked up', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const unavailable = expect.objectContaining({ code: 'UNAVAILABLE' }) as unknown;
    const beat = async (time = new Date()): Promise<void> => utimes(path, time, time);
    const year = 365 * 24 * 60 * 60 * 1000;

    test.each([
      ['as it is of another host', async () => leave({ host: 'elsewhere' })],
      ['as it is of another container of this machine', async () => leave({ namespace: 'pid:[1]' })],
      ['as it says of none', async () => leave({ namespace: undefined })],
      ['as it is empty', async () => writeFile(path, '')],
      ['as it is damaged', async () => writeFile(path, 'null')],
    ])('%s is taken over only after half a minute of silence', async (_, make) => {
      await make();
      const owners: unknown[] = [];
      const promise = RootLock.acquire(dir, { onWait: (owner) => owners.push(owner) });
      const watched = watch(promise);
      await pass(29);
      expect(watched.state).toBe('waits');
      expect(owners.length).toBe(1);
      await pass(3);
      expect(watched.state).toBe('acquired');
      const lock = await promise;
      locks.push(lock);
      expect(() => lock.assertOwned()).not.toThrow();
      expect(await readdir(dir)).toEqual(['lock']);
    });

    test.each([
      ['a year ago, as after a jump forward', -year],
      ['in a year, as after a jump back', year],
    ])('is judged by what is heard of it, not by its time: %s', async (_, distance) => {
      await leave({ host: 'elsewhere' });
      await beat(new Date(Date.now() + distance));
      const watched = watch(RootLock.acquire(dir));
      await pass(20);
      expect(watched.state).toBe('waits');
      await beat(new Date(Date.now() + distance + 5000));
      await pass(2);
      expect(watched.state).toEqual(unavailable);
      // Nothing more is heard of it.
      const promise = acquire();
      const second = watch(promise);
      await pass(2);
      expect(second.state).toEqual(unavailable);
      await pass(30);
      await acquire();
    });

    test('is refused as soon as it is heard of, and at once after that', async () => {
      await leave({ host: 'elsewhere' });
      const first = watch(acquire());
      await pass(4);
      expect(first.state).toBe('waits');
      await beat();
      await pass(1);
      expect(first.state).toMatchObject({ code: 'UNAVAILABLE', detail: { host: 'elsewhere' } });
      for (let i = 0; i < 20; i++) {
        await pass(5);
        await beat(new Date((100 - i) * 1000));
        await expect(acquire()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      }
    });

    test('is another when another owner has come, whose silence begins anew', async () => {
      await leave({ host: 'elsewhere' });
      const first = watch(acquire());
      await pass(25);
      await leaveTo('a third');
      await pass(10);
      expect(first.state).toBe('waits');
      await beat();
      await pass(1);
      expect(first.state).toMatchObject({ code: 'UNAVAILABLE' });
    });

    test('is not waited for when no caller wants it any more', async () => {
      await leave({ host: 'elsewhere' });
      const controller = new AbortController();
      const promise = RootLock.acquire(dir, { signal: controller.signal });
      const watched = watch(promise);
      await pass(3);
      const reason = new Error('no more');
      controller.abort(reason);
      await pass(1);
      expect(watched.state).toBe(reason);
      expect(await readdir(dir)).toEqual(['lock']);
    });

    async function leaveTo(nonce: string): Promise<void> {
      const owner = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      await writeFile(`${path}.new`, JSON.stringify({ ...owner, nonce }));
      await rename(`${path}.new`, path);
    }
  });

  test('that was taken away and taken by another is noticed, whatever number its file has', async () => {
    const lock = await acquire();
    for (let i = 0; i < 20; i++) {
      await rm(path);
      await writeFile(path, '{}');
      expect(() => lock.assertOwned()).toThrow('no longer holds');
    }
    await lock.release();
    expect(await readFile(path, 'utf8')).toBe('{}');
  });

  test('that is away for a moment is held again when it is put back', async () => {
    const lock = await acquire();
    await rename(path, `${path}.aside`);
    expect(() => lock.assertOwned()).toThrow('no longer holds');
    await rename(`${path}.aside`, path);
    expect(() => lock.assertOwned()).not.toThrow();
  });

  test('goes to one of several processes that find it abandoned', async () => {
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

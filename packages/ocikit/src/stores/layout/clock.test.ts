import { cp, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { digestOf, maintenanceOf } from '../../model/index.ts';
import { blobOf, emptyJson, imageOf, pushContent } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry, LayoutsOptions } from './index.ts';
import { RootLock } from './root/index.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
const copies: string[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-clock-'));
});
afterEach(async () => {
  vi.useRealTimers();
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  warnings.splice(0);
  for (const path of [dir, ...copies.splice(0)]) await rm(path, { recursive: true });
});

const second = 1000;
const day = 24 * 60 * 60 * second;
const year = 365 * day;
const content = imageOf({ config: emptyJson(), layers: [blobOf('a layer')] });
const unknown = { code: 'BLOB_UPLOAD_UNKNOWN' };

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Sets the clock; time itself passes as before. */
function jump(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe.each([
  ['forward', year],
  ['back', -year],
])('a clock that jumps %s by a year', (_where, distance) => {
  describe.each([
    ['a shared layout', openLayout],
    ['a layout for each repository', openLayouts],
  ] as const)('over %s', (_name, kind) => {
    function open(options: LayoutsOptions = {}, path = dir): LayoutRegistry {
      const registry = kind(path, {
        durability: 'none',
        onWarning: (message) => warnings.push(message),
        ...options,
      });
      opened.push(registry);
      return registry;
    }

    /** As the disk is when the process is killed. */
    async function killed(): Promise<string> {
      const copy = await mkdtemp(join(tmpdir(), 'ocikit-clock-copy-'));
      copies.push(copy);
      await cp(dir, copy, { recursive: true });
      await rm(join(copy, '.ocikit/lock'), { force: true });
      return copy;
    }

    test.each([
      ['and stays there', 0],
      ['and is set right again', -distance],
    ])('%s, loses nothing that was acknowledged', async (_then, correction) => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const registry = open();
      const tagsOf = (from: LayoutRegistry): Promise<string[]> => collect(from.tags('app'));
      await pushContent(registry, 'app', content, { tags: ['v1', 'v2'] });
      jump(distance);
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v3'] });
      await registry.deleteTag('app', 'v1');
      expect(await tagsOf(open({}, await killed()))).toEqual(['v2', 'v3']);
      await registry.fold();
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v4'] });
      jump(correction);
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v1'] });
      await registry.deleteTag('app', 'v3');

      const expected = ['v1', 'v2', 'v4'];
      expect(await tagsOf(registry)).toEqual(expected);
      const copy = open({}, await killed());
      await copy.own();
      expect(await tagsOf(copy)).toEqual(expected);
      await registry.close();
      const again = open();
      expect(await tagsOf(again)).toEqual(expected);
      for (const { descriptor } of content.blobs) await again.resolveBlob('app', descriptor.digest);
      expect(warnings).toEqual([]);
    });

    test('ends no upload that is being sent, and none that has just been started', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const registry = open();
      const [upload, empty] = [await registry.startUpload('app'), await registry.startUpload('app')];
      await upload.append(encode('one '));
      jump(distance);
      expect((await registry.resumeUpload('app', upload.id, { offset: 4 })).size).toBe(4);
      await upload.append(encode('two '));
      await empty.append(encode('three'));
      const late = await registry.startUpload('app');
      jump(-distance);
      await late.append(encode('four'));
      for (const [one, text] of [
        [upload, 'one two '],
        [empty, 'three'],
        [late, 'four'],
      ] as const) {
        const digest = digestOf(encode(text));
        await (await registry.resumeUpload('app', one.id)).commit(digest);
        expect(await (await registry.getBlob('app', digest)).bytes()).toEqual(encode(text));
      }
    });

    test('ends no upload while its bytes are on their way', async () => {
      vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
      const registry = open({ uploadExpiry: 60 * second });
      const upload = await registry.startUpload('app');
      async function* slowly(): AsyncGenerator<Uint8Array> {
        yield encode('two ');
        jump(distance);
        await vi.advanceTimersByTimeAsync(61 * second);
        yield encode('three');
        await vi.advanceTimersByTimeAsync(61 * second);
      }
      await upload.append(encode('one '));
      expect(await upload.append(slowly())).toBe(13);
      await upload.commit(digestOf(encode('one two three')));
    });

    test('ends uploads after their rest, neither sooner nor later', async () => {
      vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
      const registry = open({ uploadExpiry: 60 * second });
      const upload = await registry.startUpload('app');
      await upload.append(encode('one '));
      await vi.advanceTimersByTimeAsync(30 * second);
      await upload.append(encode('two '));
      jump(distance);
      // By now it would be gone if it had not been resumed.
      await vi.advanceTimersByTimeAsync(59 * second);
      expect((await registry.resumeUpload('app', upload.id)).size).toBe(8);
      await vi.advanceTimersByTimeAsync(2 * second);
      await expect(registry.resumeUpload('app', upload.id)).rejects.toMatchObject(unknown);
    });

    test('makes an upload give way to another after a minute of rest, neither sooner nor later', async () => {
      vi.useFakeTimers({ toFake: ['Date', 'performance'] });
      const registry = open({ maxUploads: 1 });
      const [one, two] = [await registry.startUpload('app'), await registry.startUpload('app')];
      await one.append(encode('one'));
      jump(distance);
      vi.advanceTimersByTime(20 * second);
      await expect(two.append(encode('two'))).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 40 });
      vi.advanceTimersByTime(40 * second);
      expect(await two.append(encode('two'))).toBe(3);
      await expect(one.append(encode('more'))).rejects.toMatchObject(unknown);
    });

    test('leaves the times of content in their order, and none of them is yet to come', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const before = Date.now();
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      const maintenance = maintenanceOf(registry);
      if (maintenance === undefined) throw new Error('a layout can be maintained');
      const times = async (): Promise<{ createdAt: Date; usedAt: Date }[]> => {
        const found = [...(await collect(maintenance.blobs('app'))), ...(await collect(maintenance.manifests('app')))];
        expect(found.length).toBe(content.blobs.length + 1);
        return found;
      };
      jump(distance);
      // Content that was just used is not old because the clock shows another year.
      for (const { usedAt } of await times()) expect(usedAt.getTime()).toBeGreaterThan(Date.now() - 10 * second);
      await registry.getTag('app', 'v1');
      for (const { descriptor } of content.blobs) await registry.resolveBlob('app', descriptor.digest);
      jump(-distance);
      for (const { createdAt, usedAt } of await times()) {
        expect(createdAt.getTime()).toBeGreaterThan(before - second);
        expect(usedAt.getTime()).toBeGreaterThanOrEqual(createdAt.getTime() - second);
        expect(usedAt.getTime()).toBeLessThan(Date.now() + 10 * second);
      }
    });

    test('takes no lock, neither from its owner nor for others', async () => {
      vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      const lock = join(dir, '.ocikit/lock');
      for (const there of [distance, -distance]) {
        jump(there);
        // First as it is when the clock has just jumped, then when its owner has been heard of again.
        for (const passes of [0, 5 * second, 60 * second]) {
          await vi.advanceTimersByTimeAsync(passes);
          if (passes > 0) expect(Math.abs((await stat(lock)).mtimeMs - Date.now())).toBeLessThanOrEqual(5 * second);
          await expect(open().own()).rejects.toMatchObject({ code: 'UNAVAILABLE', detail: { pid: process.pid } });
          await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v2'] });
        }
      }
      await registry.close();
      await expect(stat(lock)).rejects.toThrow('ENOENT');
      await pushContent(open(), 'app', content, { tags: ['v3'] });
    });
  });

  test('takes no lock of a process of this machine, whatever its heartbeat says', async () => {
    const lock = await RootLock.acquire(dir);
    const time = new Date(Date.now() + distance);
    await utimes(join(dir, 'lock'), time, time);
    await expect(RootLock.acquire(dir)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(() => lock.assertOwned()).not.toThrow();
    await lock.release();
    await writeFile(join(dir, 'lock'), '');
    await rm(join(dir, 'lock'));
    await (await RootLock.acquire(dir)).release();
  });
});

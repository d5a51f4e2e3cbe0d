import type * as Fs from 'node:fs';
import { cp, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import type * as FsPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { blobOf } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry, LayoutsOptions } from './index.ts';

/** A disk that has room for so many more bytes. */
const disk = vi.hoisted(() => ({ left: Infinity }));

type Write = (bytes: Uint8Array, from: number, length: number, at: number) => Promise<{ bytesWritten: number }>;

const full = vi.hoisted(
  () => (): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }),
);

vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  const writeSync = (file: number, bytes: Uint8Array, from = 0, length = bytes.length, at?: number): number => {
    const fits = Math.min(length, disk.left);
    if (fits === 0) throw full();
    disk.left -= fits;
    return real.writeSync(file, bytes, from, fits, at);
  };
  return { ...real, writeSync };
});

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FsPromises>();
  const open: typeof FsPromises.open = async (path, flags, mode) => {
    const handle = await real.open(path, flags, mode);
    const write = (handle.write as Write).bind(handle);
    return Object.assign(handle, {
      write: async (bytes: Uint8Array, from: number, length: number, at: number) => {
        const fits = Math.min(length, disk.left);
        if (fits === 0) throw full();
        disk.left -= fits;
        return write(bytes, from, fits, at);
      },
    });
  };
  const copyFile: typeof FsPromises.copyFile = async (...args) => {
    if (disk.left === 0) throw full();
    await real.copyFile(...args);
  };
  return { ...real, open, copyFile };
});

let dir: string;
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-uploads-'));
});
afterEach(async () => {
  vi.useRealTimers();
  disk.left = Infinity;
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  await rm(dir, { recursive: true });
});

const bytesOf = (length: number): Uint8Array => new Uint8Array(length).fill(7);
async function* pieces(...lengths: number[]): AsyncGenerator<Uint8Array> {
  for (const length of lengths) yield bytesOf(length);
}

const blob = blobOf(bytesOf(300));

describe.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const)('an upload to %s', (_kind, kind) => {
  const open = (options: LayoutsOptions = {}, path = dir): LayoutRegistry => {
    const registry = kind(path, { durability: 'none', ...options });
    opened.push(registry);
    return registry;
  };
  /** The bytes that uploads and what is on its way to its name take. */
  const held = async (path = dir): Promise<number> => {
    let sum = 0;
    for (const name of ['uploads', 'tmp']) {
      const files = await readdir(join(path, '.ocikit', name)).catch(() => []);
      for (const file of files) sum += (await stat(join(path, '.ocikit', name, file))).size;
    }
    return sum;
  };

  test('of an earlier process expires while this one runs, unless a client resumes it', async () => {
    const before = open();
    const [left, resumed] = [await before.startUpload('app'), await before.startUpload('app')];
    for (const upload of [left, resumed]) await upload.append(bytesOf(3));
    const copy = join(dir, 'copy');
    await cp(join(dir, '.ocikit'), join(copy, '.ocikit'), { recursive: true });
    await rm(join(copy, '.ocikit/lock'));
    const uploads = join(copy, '.ocikit/uploads');
    vi.useFakeTimers({
      toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
    });
    const registry = open({ uploadExpiry: 3000 }, copy);
    for (const { id } of [left, resumed]) await utimes(join(uploads, id), new Date(), new Date());
    await registry.own();
    expect((await readdir(uploads)).toSorted()).toEqual([left.id, resumed.id].toSorted());
    for (let i = 0; i < 22; i++) {
      const upload = await registry.resumeUpload('app', resumed.id);
      await upload.append(bytesOf(1));
      await vi.advanceTimersByTimeAsync(200);
    }
    await expect.poll(() => readdir(uploads)).toEqual([resumed.id]);
  });

  test('has what was given to it, though the buffer that it came in is used again', async () => {
    const registry = open();
    const buffer = Buffer.alloc(150);
    async function* again(): AsyncGenerator<Uint8Array> {
      yield buffer.fill(1);
      yield buffer.fill(2);
    }
    const { descriptor, bytes } = blobOf(Uint8Array.from({ length: 300 }, (_none, at) => (at < 150 ? 1 : 2)));
    const upload = await registry.startUpload('app');
    await upload.append(again());
    await upload.commit(descriptor.digest);
    expect(await (await registry.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
  });

  test('that is old already when this process becomes the one that writes is removed then', async () => {
    const before = open();
    const upload = await before.startUpload('app');
    await upload.append(bytesOf(3));
    await before.close();
    const old = new Date(Date.now() - 5000);
    await utimes(join(dir, '.ocikit/uploads', upload.id), old, old);
    await open({ uploadExpiry: 4000 }).own();
    expect(await held()).toBe(0);
  });

  test('that is not old is left to the next process', async () => {
    const before = open({ uploadExpiry: 60_000 });
    const upload = await before.startUpload('app');
    await upload.append(bytesOf(3));
    await before.close();
    const registry = open({ uploadExpiry: 60_000 });
    await registry.own();
    expect((await registry.resumeUpload('app', upload.id)).size).toBe(3);
  });

  test('holds nothing when the disk was full at its first bytes', async () => {
    const registry = open();
    const upload = await registry.startUpload('app');
    disk.left = 150;
    await expect(upload.append(pieces(100, 100))).rejects.toThrow('ENOSPC');
    expect(await held()).toBe(0);
    disk.left = Infinity;
    expect(upload.size).toBe(0);
    await upload.append(blob.bytes);
    await upload.commit(blob.descriptor.digest);
  });

  test('holds what was acknowledged, and no more, when the disk was full after that', async () => {
    const registry = open();
    const upload = await registry.startUpload('app');
    await upload.append(bytesOf(100));
    disk.left = 150;
    await expect(upload.append(pieces(100, 100))).rejects.toThrow('ENOSPC');
    expect([await held(), upload.size]).toEqual([100, 100]);
    disk.left = Infinity;
    await upload.append(bytesOf(200));
    expect((await upload.commit(blob.descriptor.digest)).size).toBe(300);
  });

  test('holds nothing when the disk was full at the last bytes, which were all', async () => {
    const registry = open();
    const upload = await registry.startUpload('app');
    disk.left = 200;
    const source = pieces(150, 150);
    await expect(upload.commit(blob.descriptor.digest, { source })).rejects.toThrow('ENOSPC');
    expect(await held()).toBe(0);
    await expect(registry.pushBlob('app', blob.descriptor, pieces(150, 150))).rejects.toThrow('ENOSPC');
    expect(await held()).toBe(0);
  });

  test('holds nothing when it was written, and no record could be', async () => {
    const registry = open();
    await registry.pushBlob('app', { digest: blobOf('first').descriptor.digest }, blobOf('first').bytes);
    for (const push of [
      () => registry.pushBlob('app', blob.descriptor, blob.bytes),
      async () => (await registry.startUpload('app')).commit(blob.descriptor.digest, { source: blob.bytes }),
    ]) {
      disk.left = 300;
      const pushed = await push().then(
        () => true,
        () => false,
      );
      disk.left = Infinity;
      // If the file itself shows the blob, no record is written.
      expect(pushed).toBe(kind === openLayouts);
      expect(await held()).toBe(0);
      if (!pushed) {
        await expect(registry.resolveBlob('app', blob.descriptor.digest)).rejects.toMatchObject({
          code: 'BLOB_UNKNOWN',
        });
        expect((await readdir(join(dir, 'blobs/sha256'))).length).toBe(1);
      }
    }
  });

  test('with acknowledged bytes can be tried again when no record could be written', async () => {
    const registry = open();
    await registry.pushBlob('app', { digest: blobOf('first').descriptor.digest }, blobOf('first').bytes);
    const upload = await registry.startUpload('app');
    await upload.append(bytesOf(100));
    disk.left = 200;
    const committed = upload.commit(blob.descriptor.digest, { source: bytesOf(200) });
    if (kind === openLayouts) {
      await committed;
      return;
    }
    await expect(committed).rejects.toThrow('ENOSPC');
    expect([await held(), upload.size]).toEqual([100, 100]);
    disk.left = Infinity;
    expect((await upload.commit(blob.descriptor.digest, { source: bytesOf(200) })).size).toBe(300);
    expect(await (await registry.getBlob('app', blob.descriptor.digest)).bytes()).toEqual(blob.bytes);
  });

  test('whose bytes were removed is unknown, and becomes no blob of other bytes', async () => {
    const registry = open();
    const upload = await registry.startUpload('app');
    await upload.append(bytesOf(100));
    await rm(join(dir, '.ocikit/uploads', upload.id));
    const unknown = { code: 'BLOB_UPLOAD_UNKNOWN' };
    await expect(upload.append(bytesOf(200))).rejects.toMatchObject(unknown);
    await expect(upload.commit(blob.descriptor.digest)).rejects.toMatchObject({ code: expect.any(String) as string });
  });

  test('that was cut in its only request can be sent again at once', async () => {
    const registry = open();
    const large = blobOf(bytesOf(200_000));
    for (let i = 0; i < 20; i++) {
      const { id } = await registry.startUpload('app');
      const cutOff = async function* (): AsyncGenerator<Uint8Array> {
        yield large.bytes.subarray(0, 150_000);
        throw new Error('the connection is cut');
      };
      const first = (await registry.resumeUpload('app', id)).commit(large.descriptor.digest, { source: cutOff() });
      await expect(first).rejects.toThrow('the connection is cut');
      const again = await registry.resumeUpload('app', id, { offset: 'end' });
      expect(await again.append(large.bytes)).toBe(200_000);
      await again.commit(large.descriptor.digest);
    }
  });

  test('goes on if its client disconnects while the disk is waited for', async () => {
    const registry = open({ durability: 'fsync' });
    const { id } = await registry.startUpload('app');
    const controller = new AbortController();
    const committed = (await registry.resumeUpload('app', id)).commit(blob.descriptor.digest, {
      source: blob.bytes,
      signal: controller.signal,
      onEvent: ({ type }) => {
        if (type === 'verified') controller.abort(new Error('the client has left'));
      },
    });
    await expect(committed).rejects.toThrow('the client has left');
    const again = await registry.resumeUpload('app', id, { offset: 'end' });
    await again.append(blob.bytes);
    expect((await again.commit(blob.descriptor.digest)).size).toBe(300);
  });
});

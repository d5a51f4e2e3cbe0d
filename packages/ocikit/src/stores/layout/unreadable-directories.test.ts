import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type * as FsPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { collect, maintenanceOf } from '../../model/index.ts';
import type { Maintenance } from '../../model/index.ts';
import { blobOf, imageOf, pushContent } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

/** Directories that cannot be listed or checked, and why. */
const disk = vi.hoisted(() => ({ path: '', code: '' }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FsPromises>();
  const failingFirst =
    (call: (...args: never[]) => Promise<unknown>) =>
    async (...args: never[]): Promise<unknown> => {
      const path: unknown = args[0];
      if (path === disk.path) throw Object.assign(new Error(`${disk.code}: ${disk.path}`), { code: disk.code });
      return call(...args);
    };
  return {
    ...real,
    readdir: failingFirst(real.readdir),
    opendir: failingFirst(real.opendir),
    stat: failingFirst(real.stat),
  };
});

const codes = ['EIO', 'EACCES'] as const;
const blob = blobOf('a blob that nothing names');

let dir: string;
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-maintenance-'));
});
afterEach(async () => {
  disk.path = '';
  for (const registry of opened.splice(0)) await registry.close();
  await rm(dir, { recursive: true });
});

function open(kind: typeof openLayout | typeof openLayouts): LayoutRegistry {
  const registry = kind(dir, { durability: 'none' });
  opened.push(registry);
  return registry;
}

async function digestsIn(upkeep: Maintenance): Promise<string[]> {
  return (await collect(upkeep.blobs('app'))).map(({ descriptor }) => descriptor.digest);
}

function upkeepOf(registry: LayoutRegistry): Maintenance {
  const found = maintenanceOf(registry);
  if (found === undefined) throw new Error('a layout can be maintained');
  return found;
}

async function filled(kind: typeof openLayout | typeof openLayouts): Promise<LayoutRegistry> {
  const registry = open(kind);
  await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
  await registry.pushBlob('app', blob.descriptor, blob.bytes);
  return registry;
}

/** Bytes that are in a file. */
async function uploadTo(registry: LayoutRegistry): Promise<string> {
  const upload = await registry.startUpload('app');
  await upload.append(new Uint8Array(1000));
  await upload.close();
  return upload.id;
}

const cannotBeListed = (path: string, code: string): object => ({
  code: 'UNAVAILABLE',
  message: expect.stringContaining(`${path} cannot be listed`) as unknown,
  cause: expect.objectContaining({ code }) as unknown,
});

describe.each(codes)('where directories fail with %s', (code) => {
  test.each(['blobs', 'blobs/sha256'])('blobs and usage of a layout fail if %s cannot be read', async (name) => {
    const registry = await filled(openLayouts);
    const upkeep = upkeepOf(registry);
    const before = await upkeep.usage();
    const listed = await digestsIn(upkeep);
    expect(listed).toContain(blob.descriptor.digest);
    Object.assign(disk, { path: join(dir, 'app', name), code });
    await expect(collect(upkeep.blobs('app'))).rejects.toMatchObject(cannotBeListed(disk.path, code));
    await expect(upkeep.usage()).rejects.toMatchObject(cannotBeListed(disk.path, code));
    disk.path = '';
    expect(await digestsIn(upkeep)).toEqual(listed);
    expect(await upkeep.usage()).toEqual(before);
  });

  describe.each([
    ['a shared layout', openLayout],
    ['a layout for each repository', openLayouts],
  ] as const)('of %s', (_kind, kind) => {
    test('uploads and usage fail if the directory of uploads cannot be read', async () => {
      const registry = await filled(kind);
      const id = await uploadTo(registry);
      const upkeep = upkeepOf(registry);
      Object.assign(disk, { path: join(dir, '.ocikit/uploads'), code });
      await expect(collect(upkeep.uploads('app'))).rejects.toMatchObject(cannotBeListed(disk.path, code));
      await expect(upkeep.usage()).rejects.toMatchObject(cannotBeListed(disk.path, code));
      disk.path = '';
      expect((await collect(upkeep.uploads('app'))).map((upload) => upload.id)).toEqual([id]);
      expect(await upkeep.usage()).toMatchObject({ uploads: 1 });
    });

    test('uploads and usage fail if an upload cannot be looked at', async () => {
      const registry = await filled(kind);
      const id = await uploadTo(registry);
      const upkeep = upkeepOf(registry);
      Object.assign(disk, { path: join(dir, '.ocikit/uploads', id), code });
      await expect(collect(upkeep.uploads('app'))).rejects.toMatchObject({ code });
      await expect(upkeep.usage()).rejects.toMatchObject({ code });
    });
  });
});

describe('of a layout for each repository', () => {
  test('what is missing is empty: no upload, no directory of blobs', async () => {
    const registry = await filled(openLayouts);
    const upkeep = upkeepOf(registry);
    await rm(join(dir, '.ocikit/uploads'), { recursive: true, force: true });
    await rm(join(dir, 'app/blobs'), { recursive: true });
    expect(await collect(upkeep.uploads('app'))).toEqual([]);
    expect(await collect(upkeep.blobs('app'))).toEqual([]);
    expect(await upkeep.usage()).toMatchObject({ blobs: 0, uploads: 0 });
  });

  test('an upload that ends while uploads are listed is none', async () => {
    const registry = await filled(openLayouts);
    const id = await uploadTo(registry);
    Object.assign(disk, { path: join(dir, '.ocikit/uploads', id), code: 'ENOENT' });
    const upkeep = upkeepOf(registry);
    expect(await collect(upkeep.uploads('app'))).toEqual([]);
    expect(await upkeep.usage()).toMatchObject({ uploads: 0 });
  });

  test('a file where the directory of blobs belongs is an error', async () => {
    const registry = await filled(openLayouts);
    const blobs = join(dir, 'app/blobs');
    await rm(blobs, { recursive: true });
    await writeFile(blobs, '');
    const upkeep = upkeepOf(registry);
    await expect(collect(upkeep.blobs('app'))).rejects.toMatchObject(cannotBeListed(blobs, 'ENOTDIR'));
  });

  test('files that others leave beside the blobs are none', async () => {
    const registry = await filled(openLayouts);
    const upkeep = upkeepOf(registry);
    const listed = await digestsIn(upkeep);
    expect(listed).toContain(blob.descriptor.digest);
    await writeFile(join(dir, 'app/blobs/README'), 'not ours');
    await mkdir(join(dir, 'app/blobs/sha256/not-a-digest'));
    expect(await digestsIn(upkeep)).toEqual(listed);
  });
});

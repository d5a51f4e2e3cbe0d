import { cp, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { collect, maintenanceOf } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';
import { blobOf, imageOf, pushContent } from '../../testing/index.ts';

import { Files } from './files/index.ts';
import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';
import { Journal } from './journal/index.ts';

let root: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocikit-journalled-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  warnings.splice(0);
  await rm(root, { recursive: true });
});

const image = imageOf();
const blob = blobOf('a blob that only the journal answers for');

function upkeepOf(registry: Registry): Maintenance {
  const upkeep = maintenanceOf(registry);
  if (upkeep === undefined) throw new Error('it has no maintenance');
  return upkeep;
}

describe.each([
  ['a shared layout', openLayout, ''],
  ['a layout for each repository', openLayouts, 'app'],
] as const)('a small file of %s', (_name, kind, base) => {
  const dir = (): string => join(root, 'dir');
  const open = (path = dir()): LayoutRegistry => {
    const registry = kind(path, { onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    return registry;
  };
  const pathOf = (digest: Digest, at = dir(), below: string = base): string =>
    join(at, below, 'blobs', digest.replace(':', '/'));
  /** As the disk is when the process is killed. */
  const killed = async (): Promise<string> => {
    const copy = await mkdtemp(join(root, 'copy-'));
    await cp(dir(), copy, { recursive: true });
    await rm(join(copy, '.ocikit/lock'), { force: true });
    return copy;
  };

  test('that was deleted does not come back, also when its journal was about to be removed', async () => {
    const registry = open();
    await pushContent(registry, 'app', image);
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    vi.spyOn(Journal.prototype, 'remove').mockRejectedValueOnce(new Error('EIO'));
    await expect(registry.fold()).rejects.toThrow('EIO');
    await registry.deleteBlob('app', blob.descriptor.digest);
    const copy = await killed();
    const again = open(copy);
    await expect(again.resolveBlob('app', blob.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await again.own();
    await expect(again.resolveBlob('app', blob.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(stat(pathOf(blob.descriptor.digest, copy))).rejects.toThrow('ENOENT');
    // The next fold removes what the first one could not.
    await registry.fold();
    await expect(stat(join(dir(), '.ocikit/journal-1'))).rejects.toThrow('ENOENT');
  });

  test('that could not be recorded as deleted does no harm: the next push finds a journal that works', async () => {
    const registry = open();
    await pushContent(registry, 'app', image);
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    let left = kind === openLayout ? 1 : 0;
    // In a shared layout the record comes first.
    const sync = vi
      .spyOn(Files.prototype, 'syncData')
      .mockImplementation(() => (left-- === 0 ? Promise.reject(new Error('EIO')) : Promise.resolve()));
    await expect(registry.deleteBlob('app', blob.descriptor.digest)).rejects.toThrow('EIO');
    sync.mockRestore();
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    await registry.deleteBlob('app', blob.descriptor.digest);
    // Nothing is written while the disk is checked.
    await registry.fold();
    const again = open(await killed());
    await expect(again.resolveBlob('app', blob.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('is a blob although a manifest of the same bytes is pushed while the journal is waited for', async () => {
    const registry = open();
    await pushContent(registry, 'app', image);
    const twin = imageOf({
      config: image.blobs[0] ?? blob,
      layers: image.blobs.slice(1, 2),
      annotations: { a: 'twin' },
    });
    let [arrive, letGo] = [(): void => undefined, (): void => undefined];
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    vi.spyOn(Files.prototype, 'syncData').mockImplementation(() => {
      arrive();
      return gate;
    });
    const asBlob = registry.pushBlob('app', { digest: twin.descriptor.digest, size: twin.bytes.length }, twin.bytes);
    await arrived;
    const asManifest = registry.pushManifest('app', twin.bytes, twin.mediaType, { tags: ['twin'] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    letGo();
    await Promise.all([asBlob, asManifest]);
    expect((await registry.resolveBlob('app', twin.descriptor.digest)).size).toBe(twin.bytes.length);
    await registry.deleteManifest('app', twin.descriptor.digest);
    expect((await registry.resolveBlob('app', twin.descriptor.digest)).size).toBe(twin.bytes.length);
  });

  test('is never read from a journal that has taken the place of its own', async () => {
    const [one, other] = [blobOf('one blob of some length'), blobOf('and one that is as long')];
    const first = open();
    await pushContent(first, 'app', image);
    await first.fold();
    await first.close();
    const writer = open();
    await writer.pushBlob('app', one.descriptor, one.bytes);
    const reader = open();
    expect(await (await reader.getBlob('app', one.descriptor.digest)).bytes()).toEqual(one.bytes);
    // Before the disk is checked again.
    vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    await writer.close();
    await open().pushBlob('app', other.descriptor, other.bytes);
    expect(Buffer.from(await (await reader.getBlob('app', one.descriptor.digest)).bytes())).toEqual(
      Buffer.from(one.bytes),
    );
  });

  test('that cannot be written after a crash, as something else has its name, does not block the rest', async () => {
    const registry = open();
    await pushContent(registry, 'app', image, { tags: ['latest'] });
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    const copy = await killed();
    const path = pathOf(blob.descriptor.digest, copy);
    await rm(path);
    await mkdir(join(path, 'of somebody'), { recursive: true });
    const again = open(copy);
    await again.own();
    expect(warnings).toContain('a file cannot be restored from the journal');
    expect(Buffer.from((await again.getTag('app', 'latest')).bytes)).toEqual(Buffer.from(image.bytes));
    await expect(again.getBlob('app', blob.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await rm(path, { recursive: true });
    await again.pushBlob('app', blob.descriptor, blob.bytes);
  });

  test('has the state of the journal for maintenance without the lock', async () => {
    const registry = open();
    await pushContent(registry, 'app', image, { tags: ['latest'] });
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    await registry.pushBlob('lone', blob.descriptor, blob.bytes);
    const copy = await killed();
    // The state after a loss of power.
    await writeFile(pathOf(image.descriptor.digest, copy), '');
    await rm(pathOf(blob.descriptor.digest, copy));
    await rm(pathOf(blob.descriptor.digest, copy, base.replace('app', 'lone')), { force: true });
    const upkeep = upkeepOf(open(copy));
    expect((await collect(upkeep.blobs('lone'))).map(({ size }) => size)).toEqual([blob.bytes.length]);
    expect(Buffer.from(await upkeep.readManifest('app', image.descriptor.digest))).toEqual(Buffer.from(image.bytes));
    expect(await upkeep.verify('app', image.descriptor.digest)).toBe('ok');
    expect(await upkeep.verify('app', blob.descriptor.digest)).toBe('ok');
    const blobs = await collect(upkeep.blobs('app'));
    const sizes = Object.fromEntries(blobs.map(({ descriptor, size }) => [descriptor.digest, size]));
    expect(sizes[blob.descriptor.digest]).toBe(blob.bytes.length);
    expect(warnings).toEqual([]);
  });
});

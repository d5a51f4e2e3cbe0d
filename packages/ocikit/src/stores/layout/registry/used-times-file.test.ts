import { cp, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { maintenanceOf, splitDigest } from '../../../model/index.ts';
import { blobOf, imageOf, pushContent } from '../../../testing/index.ts';

import { openLayout, openLayouts } from '../index.ts';
import type { LayoutRegistry } from '../index.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-used-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  warnings.splice(0);
  await rm(dir, { recursive: true });
});

const blob = blobOf('a blob');
const { digest } = blob.descriptor;
const image = imageOf();
const hour = 60 * 60 * 1000;

describe.each([
  ['a shared layout', openLayout, ''],
  ['a layout for each repository', openLayouts, 'app'],
] as const)('the last use of content of %s', (_kind, kind, directory) => {
  const open = (path: string): LayoutRegistry => {
    const registry = kind(path, { durability: 'none', onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    return registry;
  };
  /** As if everything had been written long ago. */
  const makeOld = async (path: string): Promise<void> => {
    const blobs = join(path, directory, 'blobs/sha256');
    for (const name of await readdir(blobs)) await utimes(join(blobs, name), 1, 1);
  };
  const removeUnused = async (registry: LayoutRegistry, unusedSince = new Date(Date.now() - hour)): Promise<boolean> =>
    (await maintenanceOf(registry)?.removeUnused('app', digest, { unusedSince })) === true;
  const copyOf = async (): Promise<string> => {
    const copy = join(dir, 'killed');
    await cp(join(dir, 'root'), copy, { recursive: true, preserveTimestamps: true });
    await rm(join(copy, '.ocikit/lock'), { force: true });
    return copy;
  };
  let root: string;
  let registry: LayoutRegistry;
  beforeEach(async () => {
    root = join(dir, 'root');
    const first = open(root);
    await pushContent(first, 'app', image, { tags: ['v1'] });
    await first.pushBlob('app', blob.descriptor, blob.bytes);
    await first.close();
    await makeOld(root);
    // The times of the first process do not count here.
    await writeFile(join(root, '.ocikit/used'), '{}\n');
    registry = open(root);
    await registry.own();
  });

  test('is long ago if it was never used', async () => {
    expect(await removeUnused(registry)).toBe(true);
  });

  test('is still known after the process has come to its end', async () => {
    const before = Date.now();
    await registry.resolveBlob('app', digest);
    await registry.close();
    const again = open(root);
    expect(await removeUnused(again)).toBe(false);
    for await (const { descriptor, usedAt } of maintenanceOf(again)?.blobs('app') ?? []) {
      if (descriptor.digest !== digest) continue;
      expect(usedAt.getTime()).toBeGreaterThanOrEqual(before - 1);
      expect(usedAt.getTime()).toBeLessThanOrEqual(Date.now());
    }
    expect(await removeUnused(again, new Date(Date.now() + 1))).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('is still known after a second process came and went without using it, in another place', async () => {
    await registry.resolveBlob('app', digest);
    await registry.close();
    const second = open(root);
    await second.own();
    await second.close();
    const third = open(await copyOf());
    expect(await removeUnused(third)).toBe(false);
  });

  test('is the time of opening for all content after a crash, as earlier promises are unknown', async () => {
    await registry.resolveBlob('app', digest);
    const copy = await copyOf();
    const again = open(copy);
    expect(await removeUnused(again)).toBe(false);
    // The process after that sees the same.
    await again.close();
    const third = open(copy);
    expect(await removeUnused(third)).toBe(false);
    expect(await removeUnused(third, new Date(Date.now() + 1))).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('is the opening for everything if what was known is damaged', async () => {
    await registry.resolveBlob('app', digest);
    await registry.close();
    await writeFile(join(root, '.ocikit/used'), '{}\n["app');
    expect(await removeUnused(open(root))).toBe(false);
    expect(warnings).toEqual(['the times of last use cannot be read: all content counts as used now']);
  });

  test('is not written by a process that has lost the lock', async () => {
    await registry.resolveBlob('app', digest);
    await rm(join(root, '.ocikit/lock'));
    await registry.close().catch(() => undefined);
    await expect(readFile(join(root, '.ocikit/used'))).rejects.toThrow('ENOENT');
  });

  test('does not hinder the end when it cannot be written', async () => {
    const used = join(root, '.ocikit/used');
    await registry.resolveBlob('app', digest);
    await cp(join(root, '.ocikit/key'), join(used, 'in the way'), { recursive: true });
    await registry.close();
    expect(warnings).toEqual([
      'the times of last use cannot be saved: all content will count as used at the next start',
    ]);
    await rm(used, { recursive: true });
    expect(await removeUnused(open(root))).toBe(false);
  });

  test('is that of the file when very much else was used since', async () => {
    const before = Date.now();
    await registry.resolveBlob('app', digest);
    for (let i = 0; i < 10_001; i++) {
      await registry.resolveBlob('app', blobOf(`nobody ${i}`).descriptor.digest).catch(() => undefined);
    }
    await registry.close();
    expect((await readFile(join(root, '.ocikit/used'), 'utf8')).split('\n').length).toBeLessThan(10_000);
    const again = open(root);
    const { encoded } = splitDigest(digest);
    expect(await readFile(join(root, '.ocikit/used'), 'utf8')).not.toContain(encoded);
    expect(await removeUnused(again, new Date(before - 1))).toBe(false);
    expect(await removeUnused(again, new Date(Date.now() + 1))).toBe(true);
  });
});

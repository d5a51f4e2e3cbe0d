// Blobs that cannot be read: they are reported with their path, and everything else goes on.
import { mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { collect, maintenance, maintenanceOf, RegistryError } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';
import { blobOf, imageOf, pushContent } from '../../testing/index.ts';
import { check } from '../../upkeep/index.ts';

import { openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-unreadable-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  await rm(dir, { recursive: true });
});

function open(): LayoutRegistry {
  const registry = openLayouts(dir, { durability: 'none' });
  opened.push(registry);
  return registry;
}

const image = imageOf();

test.each(['blobs/sha256', 'index.json'])('a %s that is a link to itself leaves the rest as it is', async (name) => {
  const first = open();
  for (const repository of ['a', 'b']) await pushContent(first, repository, image, { tags: ['v1'] });
  await first.close();
  const path = join(dir, 'a', name);
  await rename(path, `${path}.away`);
  await symlink(path, path);

  const registry = open();
  expect(await collect(registry.repositories())).toEqual(['a', 'b']);
  const unavailable = { code: 'UNAVAILABLE', message: expect.stringContaining(path) as unknown };
  const digest = image.blobs[0]?.descriptor.digest ?? image.descriptor.digest;
  await expect(registry.resolveBlob('a', digest)).rejects.toMatchObject(unavailable);
  await expect(registry.pushBlob('a', blobOf('new').descriptor, blobOf('new').bytes)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
  expect((await registry.getTag('b', 'v1')).bytes).toEqual(image.bytes);
  const found = await collect(check(registry, { gracePeriod: 0 }));
  expect(found.map(({ kind, repository }) => [kind, repository])).toEqual([['unreadable', 'a']]);
  expect(found[0]?.reason).toContain(path);
  expect((await readdir(dir)).toSorted()).toEqual(['.ocikit', 'a', 'b']);
});

test('one of a repository keeps no other one from being checked', async () => {
  const registry = open();
  const blobs = [1, 2, 3].map((i) => blobOf(`blob ${i}`));
  for (const { descriptor, bytes } of blobs) await registry.pushBlob('a', descriptor, bytes);
  const digests = blobs.map(({ descriptor }) => descriptor.digest);
  const upkeep = maintenanceOf(registry);
  if (upkeep === undefined) throw new Error('a layout can be maintained');
  const checked: Digest[] = [];
  const failing: Registry = {
    ...registry,
    [maintenance]: {
      ...upkeep,
      async verify(repository, digest, options) {
        checked.push(digest);
        if (digest === digests[1]) throw new RegistryError('UNAVAILABLE', 'the disk is worn');
        return upkeep.verify(repository, digest, options);
      },
    },
  };
  const found = await collect(check(failing));
  expect(found).toMatchObject([
    { kind: 'unreadable', repository: 'a', digest: digests[1], reason: 'the disk is worn' },
  ]);
  expect(checked.toSorted()).toEqual(digests.toSorted());
});

// Removals of unused blobs beside pushes of the same blobs: what a push acknowledged stays.
import { describe, expect, test } from 'vitest';

import { temporaryDirectory } from '../../../../test/temporary-directory.ts';
import { maintenanceOf } from '../../../model/index.ts';
import { imageOf, pushContent } from '../../../testing/index.ts';

import { openLayouts } from '../index.ts';

/** Lets so many steps of other tasks run. */
async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

describe.each(['fsync', 'none'] as const)('the removal of an unused blob, with durability %s', (durability) => {
  test('spares a blob that a push stored meanwhile, also if the blob was a manifest before', async () => {
    const registry = openLayouts(await temporaryDirectory(), { durability });
    const maintenance = maintenanceOf(registry);
    const lost: number[] = [];
    for (let count = 0; count < 30; count++) {
      const image = imageOf();
      const { descriptor, bytes } = image;
      const name = `app${count}`;
      await pushContent(registry, name, image);
      await registry.pushBlob(name, descriptor, bytes);
      await registry.deleteManifest(name, descriptor.digest);
      await new Promise((resolve) => setTimeout(resolve, 3));
      const unusedSince = new Date(Date.now() - 1);
      const removal = maintenance?.removeUnused(name, descriptor.digest, { unusedSince });
      await steps(count);
      await registry.pushBlob(name, descriptor, bytes);
      await removal;
      if ((await registry.resolveBlob(name, descriptor.digest).catch(() => undefined)) === undefined) lost.push(count);
    }
    expect(lost).toEqual([]);
    await registry.close();
  });
});

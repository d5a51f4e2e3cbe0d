import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { maintenanceOf } from '../../model/index.ts';
import { imageOf, pushContent, randomBlob } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';

test.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
])(
  'with verifyOnRead, a blob that a reader found damaged is missing until it is pushed again, in %s',
  async (_, open) => {
    const root = await mkdtemp(join(tmpdir(), 'ocikit-damaged-'));
    onTestFinished(() => rm(root, { recursive: true }));
    await using registry = open(root, { durability: 'none', verifyOnRead: true });
    const layer = randomBlob(600_000);
    const { digest } = layer.descriptor;
    await pushContent(registry, 'app', imageOf({ layers: [layer] }), { tags: ['v1'] });
    await registry.fold();
    const path = join(root, open === openLayout ? '' : 'app', 'blobs', digest.replace(':', '/'));
    await writeFile(path, new Uint8Array(layer.bytes).fill(0, 1000, 2000));
    await expect((await registry.getBlob('app', digest)).bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    await expect(registry.resolveBlob('app', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    expect(await maintenanceOf(registry)?.verify('app', digest)).toBe('corrupt');
    await registry.pushBlob('app', layer.descriptor, layer.bytes);
    expect((await registry.resolveBlob('app', digest)).size).toBe(600_000);
    expect(await (await registry.getBlob('app', digest)).bytes()).toEqual(layer.bytes);
  },
);

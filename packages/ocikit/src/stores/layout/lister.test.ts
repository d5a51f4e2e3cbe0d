import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { artifactOf, imageOf, pushContent } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

const image = imageOf();
const reason = new Error('no longer wanted');

let dir: string;
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-lister-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  await rm(dir, { recursive: true });
});

describe.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const)('of %s', (_kind, kind) => {
  it.each(['repositories', 'tags', 'referrers'] as const)(
    'a list of %s ends between two items when its signal is aborted',
    async (list) => {
      const registry = kind(dir, { durability: 'none' });
      opened.push(registry);
      await pushContent(registry, 'a', image, { tags: ['v1', 'v2', 'v3'] });
      await pushContent(registry, 'b', image);
      for (const name of ['x', 'y']) {
        const artifactType = `application/vnd.example.${name}`;
        await pushContent(registry, 'a', artifactOf({ artifactType, subject: image.descriptor }));
      }
      const controller = new AbortController();
      const { signal } = controller;
      const lists = {
        repositories: () => registry.repositories({ signal }),
        tags: () => registry.tags('a', { signal }),
        referrers: () => registry.referrers('a', image.descriptor.digest, { signal }),
      };
      const items: AsyncIterator<unknown> = lists[list]()[Symbol.asyncIterator]();
      expect((await items.next()).done).toBe(false);
      controller.abort(reason);
      await expect(items.next()).rejects.toBe(reason);
      expect((await items.next()).done).toBe(true);
    },
  );
});

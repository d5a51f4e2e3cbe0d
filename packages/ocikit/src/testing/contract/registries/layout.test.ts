import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import { openLayout, openLayouts } from '../../../stores/layout/index.ts';

import { describeRegistry } from '../../index.ts';

for (const [name, open] of [
  ['a layout for each repository', openLayouts],
  ['a shared layout', openLayout],
] as const) {
  describeRegistry({ describe, it: test }, name, {
    async create() {
      const dir = await mkdtemp(join(tmpdir(), 'ocikit-layout-'));
      const registry = open(dir, { durability: 'none' });
      return {
        registry,
        async close() {
          await registry.close();
          await rm(dir, { recursive: true });
        },
      };
    },
    traits: { keepsHistory: true },
  });
}

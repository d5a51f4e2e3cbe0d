import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import { openLayouts } from '../../../stores/layout/index.ts';

import { describeRegistry } from '../../index.ts';

// The shared layout is in shared-layout.contract.test.ts, which `npm run contract` runs.
describeRegistry({ describe, it: test }, 'a layout for each repository', {
  async create() {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-layout-'));
    const registry = openLayouts(dir, { durability: 'none' });
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

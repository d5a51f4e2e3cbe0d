import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import { openLayout } from '../../../stores/layout/index.ts';

import { describeRegistry } from '../../index.ts';

describeRegistry({ describe, it: test }, 'a shared layout', {
  async create() {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-layout-'));
    const registry = openLayout(dir, { durability: 'none' });
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

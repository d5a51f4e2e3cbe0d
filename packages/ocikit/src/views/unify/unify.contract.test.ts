import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import type { Registry } from '../../model/index.ts';
import { openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { describeRegistry } from '../../testing/index.ts';
import type { ContractInstance } from '../../testing/index.ts';

import { unify } from './index.ts';
import type { UnifyOptions } from './index.ts';

const memories = (count: number): Registry[] => Array.from({ length: count }, () => createMemoryRegistry());

async function memoryAndLayout(options: UnifyOptions): Promise<ContractInstance> {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-unify-'));
  const layout = openLayouts(dir, { durability: 'none' });
  return {
    registry: unify([createMemoryRegistry(), layout], options),
    async close() {
      await layout.close();
      await rm(dir, { recursive: true });
    },
  };
}

for (const read of ['sequential', 'concurrent'] as const) {
  describeRegistry({ describe, it }, `two memories as one, read ${read}`, {
    create: async () => ({ registry: unify(memories(2), { read }) }),
  });

  describeRegistry({ describe, it }, `three memories as one, read ${read}`, {
    create: async () => ({ registry: unify(memories(3), { read, tagConflict: 'newest' }) }),
  });

  describeRegistry({ describe, it }, `a memory and a layout as one, read ${read}`, {
    create: () => memoryAndLayout({ read, tagConflict: 'first' }),
  });

  describeRegistry({ describe, it }, `two memories as one, read ${read}, of which one is written to`, {
    create: async () => ({ registry: unify(memories(2), { read, write: 1 }) }),
  });
}

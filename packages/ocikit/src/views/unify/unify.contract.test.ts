import { describe, test } from 'vitest';

import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { describeRegistry } from '../../testing/index.ts';

import { unify } from './index.ts';

const memories = (count: number): Registry[] => Array.from({ length: count }, () => createMemoryRegistry());

for (const read of ['sequential', 'concurrent'] as const) {
  describeRegistry({ describe, it: test }, `two memories as one, read ${read}`, {
    create: async () => ({ registry: unify(memories(2), { read }) }),
  });

  describeRegistry({ describe, it: test }, `three memories as one, read ${read}`, {
    create: async () => ({ registry: unify(memories(3), { read, tagConflict: 'newest' }) }),
  });
}

describeRegistry({ describe, it: test }, 'two memories as one, of which one is written to', {
  create: async () => ({ registry: unify(memories(2), { write: 1 }) }),
});

import { describe, test } from 'vitest';

import { createMemoryRegistry } from '../../../stores/memory/index.ts';

import { describeRegistry } from '../../index.ts';

describeRegistry({ describe, it: test }, 'the memory registry', {
  create: async () => ({ registry: createMemoryRegistry() }),
  traits: { keepsHistory: true },
});

describeRegistry({ describe, it: test }, 'the sparse memory registry', {
  create: async () => ({ registry: createMemoryRegistry({ sparse: true }) }),
  traits: { sparse: true },
});

describeRegistry({ describe, it: test }, 'the memory registry with immutable tags', {
  create: async () => ({ registry: createMemoryRegistry({ immutableTags: true }) }),
  traits: { immutableTags: true },
});

import { describe, it } from 'vitest';

import { createMemoryRegistry } from '../stores/memory/index.ts';

import { describeRegistry } from './index.ts';

describeRegistry({ describe, it }, 'the memory registry', {
  create: async () => ({ registry: createMemoryRegistry() }),
  traits: { keepsHistory: true },
});

describeRegistry({ describe, it }, 'the sparse memory registry', {
  create: async () => ({ registry: createMemoryRegistry({ sparse: true }) }),
  traits: { sparse: true },
});

describeRegistry({ describe, it }, 'the memory registry with immutable tags', {
  create: async () => ({ registry: createMemoryRegistry({ immutableTags: true }) }),
  traits: { immutableTags: true },
});

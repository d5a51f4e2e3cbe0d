import { describe, it } from 'vitest';

import { createMemoryRegistry } from '../stores/memory/index.ts';
import { readOnly } from '../views/index.ts';

import { describeRegistry } from './index.ts';

describeRegistry({ describe, it }, 'the read-only view', {
  create: async () => {
    const origin = createMemoryRegistry();
    return { registry: readOnly(origin), origin };
  },
  traits: { readOnly: true, lacks: ['maintenance'] },
});

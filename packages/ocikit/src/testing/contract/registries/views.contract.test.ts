import { describe, test } from 'vitest';

import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { readOnly } from '../../../views/index.ts';
import { transparentViews } from '../../../../test/transparent-views.ts';

import { describeRegistry } from '../../index.ts';

for (const [name, { view, traits }] of Object.entries(transparentViews)) {
  describeRegistry({ describe, it: test }, name, {
    create: async () => ({ registry: view() }),
    traits: { ...traits, keepsHistory: true },
  });
}

describeRegistry({ describe, it: test }, 'readOnly', {
  create: async () => {
    const origin = createMemoryRegistry();
    return { registry: readOnly(origin), origin };
  },
  traits: { readOnly: true },
});

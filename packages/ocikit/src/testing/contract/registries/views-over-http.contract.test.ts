import { describe, test } from 'vitest';

import { createServer } from '../../../http/server/index.ts';
import { fetchThrough } from '../../../../test/fetch-through.ts';
import { transparentViews } from '../../../../test/transparent-views.ts';

import { describeRegistry } from '../../index.ts';
import { testClient } from '../../test-client/index.ts';

for (const [name, { view, traits, served }] of Object.entries(transparentViews)) {
  if (served !== true) continue;
  const client = testClient('http://registry.test', { fetch: fetchThrough(createServer(view()).fetch) });
  describeRegistry({ describe, it: test }, `${name}, served`, {
    create: async () => ({ registry: client }),
    traits: { ...traits, remote: true, lacks: ['maintenance', 'uploadRead'] },
  });
}

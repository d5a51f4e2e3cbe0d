import { describe, test } from 'vitest';

import { createServer } from '../../../http/server/index.ts';
import type { FetchHandler } from '../../../http/server/index.ts';
import { transparentViews } from '../../../../test/transparent-views.ts';

import { describeRegistry } from '../../index.ts';
import { testClient } from '../../test-client/index.ts';
import type { TestClientOptions } from '../../test-client/index.ts';

/** `fetch` without a network. It ends with its signal, whatever the server does. */
function through(handle: FetchHandler): TestClientOptions {
  return {
    fetch: (address, init) =>
      new Promise((resolve, reject) => {
        const { signal } = init;
        const request = new Request(address, init);
        signal?.addEventListener('abort', () => {
          reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
        });
        handle(request).then(resolve, reject);
      }),
  };
}

for (const [name, { view, traits, served }] of Object.entries(transparentViews)) {
  if (served !== true) continue;
  const client = testClient('http://registry.test', through(createServer(view()).fetch));
  describeRegistry({ describe, it: test }, `${name}, served`, {
    create: async () => ({ registry: client }),
    traits: { ...traits, remote: true, lacks: ['maintenance', 'uploadRead'] },
  });
}

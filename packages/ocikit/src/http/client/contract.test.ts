import { afterAll, describe, test } from 'vitest';

import { nodeFetch, serve } from '../../node/index.ts';
import type { Serving } from '../../node/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { describeRegistry } from '../../testing/index.ts';

import { createClient } from './index.ts';

// The client with other servers and options is in client.contract.test.ts, which `npm run contract` runs.

let serving: Promise<Serving> | undefined;
const fetch = nodeFetch();

afterAll(async () => {
  await (await serving)?.close(0);
  fetch.close();
});

// One server for all cases, as it is where registries are remote.
describeRegistry({ describe, it: test }, 'the memory registry through the client and nodeFetch', {
  create: async () => {
    const { url } = await (serving ??= serve(createMemoryRegistry(), { port: 0 }));
    return { registry: createClient({ host: new URL(url).host, fetch }) };
  },
  traits: { remote: true, lacks: ['maintenance', 'uploadRead'] },
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { createTestServer, describeRegistry } from '../../testing/node.ts';
import type { ContractInstance, TestServer } from '../../testing/node.ts';

import { unify } from './index.ts';
import type { UnifyOptions } from './index.ts';

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
  describeRegistry({ describe, it: test }, `a memory and a layout as one, read ${read}`, {
    create: () => memoryAndLayout({ read, tagConflict: 'first' }),
  });
}

const servers: TestServer[] = [];
afterAll(async () => {
  for (const server of servers.toReversed()) await server.close();
});

/** Two servers, one for all cases, and in front of them one that serves both as one. */
async function start(): Promise<TestServer> {
  const clients = [];
  for (let i = 0; i < 2; i++) {
    const server = await createTestServer();
    servers.push(server);
    clients.push(createClient({ host: server.host, fetch: server.fetch, scheme: 'http' }));
  }
  const front = await createTestServer({ registry: unify(clients) });
  servers.push(front);
  return front;
}

let front: Promise<TestServer> | undefined;

describeRegistry({ describe, it: test }, 'two servers as one, over HTTP', {
  async create() {
    const { host, fetch } = await (front ??= start());
    return { registry: createClient({ host, fetch, scheme: 'http' }) };
  },
  // A tag is resolved by HEAD, whose answer has no error code.
  traits: { remote: true, lacks: ['maintenance', 'uploadRead', 'unknownNames'] },
});

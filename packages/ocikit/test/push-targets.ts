// Registries of each kind to push to: in memory, in a directory and behind a server.
import { onTestFinished } from 'vitest';

import { createClient } from '../src/http/client/index.ts';
import type { Registry } from '../src/model/index.ts';
import { openLayouts } from '../src/stores/layout/index.ts';
import { createMemoryRegistry } from '../src/stores/memory/index.ts';
import type { TestServer } from '../src/testing/node.ts';

import { startTestServer } from './start-test-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Starts a server for as long as the test runs, with a client of it. */
export async function startServerWithClient(): Promise<{ server: TestServer; registry: Registry }> {
  const server = await startTestServer();
  return { server, registry: createClient({ host: server.host, fetch: server.fetch }) };
}

/** A registry of each kind, by name. Each is there for as long as the test runs. */
export const pushTargets: readonly [string, () => Promise<Registry>][] = [
  ['memory', async () => createMemoryRegistry()],
  [
    'a layout',
    async () => {
      const registry = openLayouts(await temporaryDirectory(), { durability: 'none' });
      onTestFinished(() => registry.close());
      return registry;
    },
  ],
  ['a server', async () => (await startServerWithClient()).registry],
];

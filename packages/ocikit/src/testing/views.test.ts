import { trace as openTelemetry } from '@opentelemetry/api';
import { afterAll, describe, expect, it } from 'vitest';

import { createServer } from '../http/server/index.ts';
import type { FetchHandler } from '../http/server/index.ts';
import type { Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { accessChecker, debug, immutable, readOnly, route, select, sub, trace } from '../views/index.ts';

import { describeRegistry } from './index.ts';
import type { ContractTraits } from './index.ts';
import { testClient } from './test-client.ts';
import type { TestClientOptions } from './test-client.ts';

/** A view through which one sees what there is inside. */
interface Transparent {
  view: () => Registry;
  traits?: ContractTraits;
  /** Whether the contract is run through the server as well. */
  served?: boolean;
}

const tracer = openTelemetry.getTracer('contract');
let lines = 0;

const views: Record<string, Transparent> = {
  sub: {
    view: () => sub(createMemoryRegistry(), 'teams/blue'),
    traits: { longestName: 255 - 'teams/blue/'.length },
    served: true,
  },
  'sub of sub': {
    view: () => sub(sub(createMemoryRegistry(), 'a'), 'a'),
    traits: { longestName: 251 },
  },
  'select, which allows all': { view: () => select(createMemoryRegistry(), async () => true), served: true },
  'accessChecker, which allows all': {
    view: () => accessChecker(createMemoryRegistry(), async () => undefined),
    served: true,
  },
  'route to one': { view: () => route({ '': createMemoryRegistry() }) },
  'route to two': {
    view: () => {
      const [even, odd] = [createMemoryRegistry(), createMemoryRegistry()];
      // Where a case mounts from one repository into another they have to be in one registry.
      const isOdd = (repository: string): boolean => (repository.split('/')[1] ?? repository).length % 2 === 1;
      return route((repository) => (isOdd(repository) ? odd : even), { members: [even, odd] });
    },
    served: true,
  },
  debug: { view: () => debug(createMemoryRegistry(), () => void lines++) },
  trace: { view: () => trace(createMemoryRegistry(), { tracer }) },
  immutable: { view: () => immutable(createMemoryRegistry()), traits: { immutableTags: true } },
  'immutable for other tags': { view: () => immutable(createMemoryRegistry(), { tags: () => false }) },
};

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

for (const [name, { view, traits, served }] of Object.entries(views)) {
  describeRegistry({ describe, it }, name, { create: async () => ({ registry: view() }), ...(traits && { traits }) });

  if (served !== true) continue;
  const client = testClient('http://registry.test', through(createServer(view()).fetch));
  describeRegistry({ describe, it }, `${name}, served`, {
    create: async () => ({ registry: client }),
    traits: { ...traits, remote: true, lacks: ['maintenance', 'uploadRead'] },
  });
}

describeRegistry({ describe, it }, 'readOnly', {
  create: async () => {
    const origin = createMemoryRegistry();
    return { registry: readOnly(origin), origin };
  },
  traits: { readOnly: true },
});

afterAll(() => {
  expect(lines).toBeGreaterThan(10_000);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, test } from 'vitest';

import { describeRegistry } from '../../testing/index.ts';
import { serve } from '../../node/index.ts';
import type { Serving } from '../../node/index.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import type { LayoutRegistry } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { createServer } from '../server/index.ts';

import { createClient } from './index.ts';
import type { ClientOptions, Fetch } from './index.ts';

const traits = { remote: true, lacks: ['maintenance', 'uploadRead'] } as const;

const closing: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const close of closing) await close();
});

function clientOf({ url }: Serving, options: Partial<ClientOptions> = {}): ReturnType<typeof createClient> {
  return createClient({ host: new URL(url).host, ...options });
}

// One server for all cases of a kind, as it is where registries are remote.
let inMemory: Promise<Serving> | undefined;
const startInMemory = async (): Promise<Serving> => {
  const started = await serve(createMemoryRegistry(), { port: 0 });
  closing.push(() => started.close(0));
  return started;
};
const small: Partial<ClientOptions> = {
  pageSize: 2,
  chunkSize: 100_000,
  concurrency: { small: 2, download: 2, upload: 2 },
};
describeRegistry(
  { describe, it: test },
  'the memory registry through the client and fetch, in small pages and chunks, with a few connections',
  {
    create: async () => ({ registry: clientOf(await (inMemory ??= startInMemory()), small) }),
    traits,
  },
);

for (const [name, open] of [
  ['a layout for each repository', openLayouts],
  ['a shared layout', openLayout],
] as const) {
  let running: Promise<Serving> | undefined;
  const start = async (): Promise<Serving> => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-client-'));
    const registry: LayoutRegistry = open(dir, { durability: 'none' });
    const serving = await serve(registry, { port: 0 });
    closing.push(async () => {
      await serving.close(0);
      await registry.close();
      await rm(dir, { recursive: true });
    });
    return serving;
  };
  describeRegistry({ describe, it: test }, `${name} through the client`, {
    create: async () => ({ registry: clientOf(await (running ??= start())) }),
    traits,
  });
}

/** `fetch` without a network. It ends with its signal, whatever the server does. */
function through(handle: (request: Request) => Promise<Response>): Fetch {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const { signal } = init;
      signal?.addEventListener('abort', () => {
        reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
      });
      handle(new Request(url, init)).then(resolve, reject);
    });
}

const inner = createServer(createMemoryRegistry({ immutableTags: true }));
const middle = createServer(createClient({ host: 'inner.test', fetch: through(inner.fetch) }));

describeRegistry({ describe, it: test }, 'a proxy of the memory registry with immutable tags through the client', {
  create: () => Promise.resolve({ registry: createClient({ host: 'middle.test', fetch: through(middle.fetch) }) }),
  traits: { ...traits, immutableTags: true },
});

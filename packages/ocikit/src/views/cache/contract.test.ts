import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { describeRegistry } from '../../testing/index.ts';

import { cache } from './cache.ts';

const kept = (): ReturnType<typeof createMemoryRegistry> => createMemoryRegistry({ sparse: true });

describeRegistry({ describe, it }, 'a cache with a local registry, of an empty upstream', {
  async create() {
    const registry = cache(createMemoryRegistry(), kept(), { local: createMemoryRegistry() });
    return { registry, close: () => registry.close() };
  },
});

for (const [name, open] of [
  ['in a shared layout', openLayout],
  ['in a layout for each repository', openLayouts],
] as const) {
  describeRegistry({ describe, it }, `a cache with a local registry, both ${name}`, {
    async create() {
      const dir = await mkdtemp(join(tmpdir(), 'ocikit-cache-'));
      const options = { durability: 'none' } as const;
      const [store, local] = [open(join(dir, 'kept'), { ...options, sparse: true }), open(join(dir, 'local'), options)];
      const registry = cache(createMemoryRegistry(), store, { local });
      return {
        registry,
        async close() {
          await registry.close();
          await Promise.all([store.close(), local.close()]);
          await rm(dir, { recursive: true });
        },
      };
    },
  });
}

describeRegistry({ describe, it }, 'a cache without a local registry', {
  async create() {
    const origin = createMemoryRegistry();
    const registry = cache(origin, kept());
    return { registry, origin, close: () => registry.close() };
  },
  traits: { readOnly: true, lacks: ['maintenance'] },
});

describeRegistry({ describe, it }, 'a cache of a cache that is asked each time', {
  async create() {
    const origin = createMemoryRegistry();
    const inner = cache(origin, kept(), { maxAge: 0, negativeAge: 0 });
    const registry = cache(inner, kept(), { maxAge: 0, negativeAge: 0, local: createMemoryRegistry() });
    return {
      registry,
      async close() {
        await registry.close();
        await inner.close();
      },
    };
  },
});

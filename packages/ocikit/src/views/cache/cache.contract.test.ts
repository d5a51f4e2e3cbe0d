import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { describeRegistry } from '../../testing/index.ts';

import { cache } from './cache.ts';

const kept = (): ReturnType<typeof createMemoryRegistry> => createMemoryRegistry({ sparse: true });

describeRegistry({ describe, it: test }, 'a cache with a local registry, of an empty upstream', {
  async create() {
    const registry = cache(createMemoryRegistry(), kept(), { local: createMemoryRegistry() });
    return { registry, close: () => registry.close() };
  },
});

describeRegistry({ describe, it: test }, 'a cache with a local registry, both in directories', {
  async create() {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-cache-'));
    const store = openLayout(join(dir, 'kept'), { durability: 'none', sparse: true });
    const local = openLayouts(join(dir, 'local'), { durability: 'none' });
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

describeRegistry({ describe, it: test }, 'a cache without a local registry', {
  async create() {
    const origin = createMemoryRegistry();
    const registry = cache(origin, kept());
    return { registry, origin, close: () => registry.close() };
  },
  traits: { readOnly: true, lacks: ['maintenance'] },
});

describeRegistry({ describe, it: test }, 'a cache of a cache that is asked each time', {
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

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, test } from 'vitest';

import { serve } from '../../../node/index.ts';
import type { Serving } from '../../../node/index.ts';
import { openLayout, openLayouts } from '../../../stores/layout/index.ts';
import type { LayoutRegistry } from '../../../stores/layout/index.ts';

import { describeRegistry } from '../../index.ts';
import { testClient } from '../../test-client/index.ts';

interface Running {
  dir: string;
  registry: LayoutRegistry;
  serving: Serving;
}

// One server for all cases of a kind, as for a remote registry.
for (const [name, open] of [
  ['a layout for each repository, over HTTP', openLayouts],
  ['a shared layout, over HTTP', openLayout],
] as const) {
  let running: Promise<Running> | undefined;
  const start = async (): Promise<Running> => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-layout-http-'));
    const registry = open(dir, { durability: 'none' });
    return { dir, registry, serving: await serve(registry, { port: 0 }) };
  };

  describeRegistry({ describe, it: test }, name, {
    create: async () => ({ registry: testClient((await (running ??= start())).serving.url) }),
    traits: { remote: true, lacks: ['maintenance', 'uploadRead'] },
  });

  afterAll(async () => {
    if (running === undefined) return;
    const { dir, registry, serving } = await running;
    await serving.close(0);
    await registry.close();
    await rm(dir, { recursive: true });
  });
}

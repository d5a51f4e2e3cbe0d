// A registry in a new directory, for the contract suite.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { openLayout, openLayouts } from '../src/stores/layout/index.ts';
import type { ContractTarget } from '../src/testing/index.ts';

/** Opens each registry of the suite in a directory of its own, which is removed with it. */
export function layoutTarget(open: typeof openLayout | typeof openLayouts): ContractTarget {
  return {
    async create() {
      const dir = await mkdtemp(join(tmpdir(), 'ocikit-layout-'));
      const registry = open(dir, { durability: 'none' });
      return {
        registry,
        async close() {
          await registry.close();
          await rm(dir, { recursive: true });
        },
      };
    },
    traits: { keepsHistory: true },
  };
}

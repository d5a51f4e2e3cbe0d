// All kinds of stores, for tests that have to pass with each.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import type { Registry } from '../src/model/index.ts';
import { openLayout, openLayouts } from '../src/stores/layout/index.ts';
import { createMemoryRegistry } from '../src/stores/memory/index.ts';

/** A name and a function for each kind of store. The function makes an empty store, for as long as the test runs. */
export const stores: readonly [string, () => Registry][] = [
  ['memory', () => createMemoryRegistry()],
  ['a shared layout', () => inDirectory(openLayout)],
  ['a layout for each repository', () => inDirectory(openLayouts)],
];

function inDirectory(open: typeof openLayout): Registry {
  const dir = mkdtempSync(join(tmpdir(), 'ocikit-'));
  const registry = open(dir, { durability: 'none' });
  onTestFinished(async () => {
    await registry.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return registry;
}

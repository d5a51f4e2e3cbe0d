import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, test } from 'vitest';

import { assertNothingLost } from '../../../test/collect-during-pushes.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

const title = '1,000 pushes during collections lose nothing that was acknowledged, and leave no garbage';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-gc-'));
});
afterEach(() => rm(dir, { recursive: true }));

test(`${title}, in memory`, () => assertNothingLost(createMemoryRegistry(), 125));

test.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
])(`${title}, in %s`, async (_name, open) => {
  await using registry = open(dir, { durability: 'none' });
  await assertNothingLost(registry, 125);
});

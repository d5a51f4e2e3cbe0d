import { expect, test } from 'vitest';

import { partialRegistry } from './partial.ts';
import { maintenance, maintenanceOf } from './registry.ts';
import type { Maintenance } from './registry.ts';

test('maintenanceOf gives what the registry offers, or undefined', () => {
  const offered = {} as Maintenance;
  expect(maintenanceOf(partialRegistry({ [maintenance]: offered }))).toBe(offered);
  expect(maintenanceOf(partialRegistry({}))).toBeUndefined();
});

test('two copies of the package agree on the key', () => {
  expect(maintenance).toBe(Symbol.for('ocikit.maintenance'));
});

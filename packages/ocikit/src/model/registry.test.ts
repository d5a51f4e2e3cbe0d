import { expect, test } from 'vitest';

import { history } from './history.ts';
import type { History } from './history.ts';
import { maintenance } from './maintenance.ts';
import type { Maintenance } from './maintenance.ts';
import { partialRegistry } from './partial.ts';
import { historyOf, maintenanceOf } from './registry.ts';

test('maintenanceOf gives what the registry offers, or undefined', () => {
  const offered = {} as Maintenance;
  expect(maintenanceOf(partialRegistry({ [maintenance]: offered }))).toBe(offered);
  expect(maintenanceOf(partialRegistry({}))).toBeUndefined();
});

test('historyOf gives what the registry offers, or undefined', () => {
  const offered = {} as History;
  expect(historyOf(partialRegistry({ [history]: offered }))).toBe(offered);
  expect(historyOf(partialRegistry({}))).toBeUndefined();
});

test('two copies of the package agree on the keys', () => {
  expect(maintenance).toBe(Symbol.for('ocikit.maintenance'));
  expect(history).toBe(Symbol.for('ocikit.history'));
});

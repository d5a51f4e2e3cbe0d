import { expect, test } from 'vitest';

import { collect, historyOf, partialRegistry, RegistryError } from '../model/index.ts';
import type { Registry, TagMove } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { imageOf, pushContent } from '../testing/index.ts';

import { accessChecker, cache, debug, readOnly, route, select, sub, unify } from './index.ts';
import type { AccessRequest } from './index.ts';

async function filled(...names: string[]): Promise<Registry> {
  const registry = createMemoryRegistry();
  for (const name of names) await pushContent(registry, name, imageOf(), { tags: ['v1'] });
  return registry;
}

async function movesOf(registry: Registry, name: string): Promise<TagMove[]> {
  const found = historyOf(registry);
  if (found === undefined) throw new Error('it has no history');
  return collect(found.moves(name));
}

test('readOnly has the history of the registry inside', async () => {
  expect(await movesOf(readOnly(await filled('app')), 'app')).toHaveLength(1);
});

test('sub has the history of repositories below its prefix, under the names of callers', async () => {
  const view = sub(await filled('blue/app', 'app'), 'blue');
  expect(await movesOf(view, 'app')).toHaveLength(1);
  expect(await movesOf(view, 'blue/app')).toEqual([]);
  await expect(movesOf(view, '../app')).rejects.toMatchObject({ code: 'NAME_INVALID' });
});

test('select has no history of hidden repositories', async () => {
  const view = select(await filled('app', 'vault'), (name) => name === 'app');
  expect(await movesOf(view, 'app')).toHaveLength(1);
  expect(await movesOf(view, 'vault')).toEqual([]);
});

test('accessChecker asks whether the history of the repository may be read', async () => {
  const asked: AccessRequest[] = [];
  const view = accessChecker(await filled('app', 'vault'), (request) => {
    asked.push(request);
    if (request.repository === 'vault') throw new RegistryError('DENIED', 'not yours');
  });
  expect(await movesOf(view, 'app')).toHaveLength(1);
  await expect(movesOf(view, 'vault')).rejects.toMatchObject({ code: 'DENIED' });
  expect(asked.map(({ access }) => access)).toEqual(['history', 'history']);
});

test('route asks the member that has the repository, and offers no history if one of them has none', async () => {
  const view = route({ a: await filled('a', 'b'), b: await filled('a', 'b') });
  expect(await movesOf(view, 'a')).toHaveLength(1);
  expect(await movesOf(view, 'elsewhere')).toEqual([]);
  expect(historyOf(route({ a: await filled('a'), b: partialRegistry({}) }))).toBeUndefined();
});

test('debug writes a line for a call of the history', async () => {
  const methods: string[] = [];
  const view = debug(await filled('app'), (line) => methods.push(JSON.stringify(line)));
  await movesOf(view, 'app');
  expect(methods.join()).toContain('history.moves');
});

test('unify and cache have no history, as their tags are moved by other registries', async () => {
  const [a, b, local] = [await filled('app'), await filled('app'), await filled('app')];
  expect(historyOf(unify([a, b]))).toBeUndefined();
  await using cached = cache(a, createMemoryRegistry({ sparse: true }));
  expect(historyOf(cached)).toBeUndefined();
  await using withLocal = cache(a, createMemoryRegistry({ sparse: true }), { local });
  expect(historyOf(withLocal)).toBeUndefined();
});

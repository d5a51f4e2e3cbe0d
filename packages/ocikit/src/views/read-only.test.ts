import { describe, expect, test } from 'vitest';

import { collect, maintenance, maintenanceOf, partialRegistry } from '../model/index.ts';
import type { Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { imageOf, pushContent } from '../testing/index.ts';

import { forward, lists, reads } from './shared/index.ts';
import { readOnly } from './index.ts';

const refused = { code: 'UNSUPPORTED', message: 'this registry is read-only' };

test('methods that are added to registries later are refused, until the view decides', async () => {
  const allowed = new Set<string>([...reads, ...lists]);
  const view = readOnly(createMemoryRegistry());
  for (const method of Object.keys(view) as (keyof Registry & string)[]) {
    if (allowed.has(method)) continue;
    const call = view[method] as () => Promise<unknown>;
    await expect(call(), method).rejects.toMatchObject(refused);
  }
});

test('methods that read and list are the registry’s own', async () => {
  const inside = createMemoryRegistry();
  const view = readOnly(inside);
  const image = imageOf();
  await pushContent(inside, 'app', image, { tags: ['v1'] });
  expect(await view.getTag('app', 'v1')).toEqual(await inside.getTag('app', 'v1'));
  expect([await collect(view.repositories()), await collect(view.tags('app'))]).toEqual([['app'], ['v1']]);
  expect(Object.keys(forward(view, ...reads, ...lists))).toHaveLength(9);
});

describe('maintenance', () => {
  test('exists if the registry has it, and changes nothing', async () => {
    const inside = createMemoryRegistry();
    const image = imageOf();
    await pushContent(inside, 'app', image);
    const { digest } = image.descriptor;
    const maintained = maintenanceOf(readOnly(inside));
    expect(await maintained?.verify('app', digest)).toBe('ok');
    expect(await maintained?.usage()).toEqual(await inside[maintenance]?.usage());
    const unusedSince = new Date(Date.now() + 60_000);
    await expect(maintained?.removeUnused('app', digest, { unusedSince })).rejects.toMatchObject(refused);
    await expect(maintained?.lease('app', [digest])).rejects.toMatchObject(refused);
    expect(await maintained?.verify('app', digest)).toBe('ok');
  });

  test('is missing if the registry has none', () => {
    expect(maintenanceOf(readOnly(partialRegistry({})))).toBeUndefined();
  });
});

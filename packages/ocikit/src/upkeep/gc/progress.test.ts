import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { collect, maintenance, maintenanceOf } from '../../model/index.ts';
import type { Maintenance, Registry } from '../../model/index.ts';
import { openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, pushContent, randomBlob } from '../../testing/index.ts';

import { collectGarbage } from '../index.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const many = Array.from({ length: 200 }, (_, i) => `many/${String(i).padStart(3, '0')}`);
const some = many.slice(0, 100);

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-gc-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function maintenanceIn(registry: Registry): Maintenance {
  const found = maintenanceOf(registry);
  if (found === undefined) throw new Error('it has no maintenance');
  return found;
}

/** A registry with an image and garbage in each repository, and other methods of its maintenance. */
async function withGarbage(over: Partial<Maintenance> = {}, repositories = names): Promise<Registry> {
  const inner = createMemoryRegistry();
  for (const name of repositories) {
    await pushContent(inner, name, imageOf(), { tags: ['v1'] });
    await pushContent(inner, name, imageOf());
  }
  return { ...inner, [maintenance]: { ...maintenanceIn(inner), ...over } };
}

class MemoryBookmark {
  text: string | undefined;
  read = (): Promise<string | undefined> => Promise.resolve(this.text);
  write = (text: string | undefined): Promise<void> => {
    this.text = text;
    return Promise.resolve();
  };
}

/**
 * Collects garbage. Returns the repositories in their order.
 *
 * @param isOver asked at each repository: whether the collection ends there
 */
async function collectUntil(registry: Registry, isOver?: (name: string) => boolean, dryRun = false): Promise<string[]> {
  const seen: string[] = [];
  const end = new AbortController();
  await pause(5);
  const collection = collectGarbage(registry, {
    gracePeriod: 0,
    dryRun,
    signal: end.signal,
    onEvent: (event) => {
      if (event.type !== 'repository') return;
      seen.push(event.repository);
      if (isOver?.(event.repository) === true) end.abort(new Error('killed'));
    },
  });
  if (isOver === undefined) await collection;
  else await expect(collection).rejects.toThrow('killed');
  return seen;
}

describe('a collection after one that was killed', () => {
  test('begins with the repositories that the other did not come to, and comes to all of them', async () => {
    const bookmark = new MemoryBookmark();
    const registry = await withGarbage({ bookmark }, many);
    const seen = await collectUntil(registry, () => bookmark.text !== undefined);
    const [, place = ''] = /^after (.*)$/.exec(bookmark.text ?? '') ?? [];
    expect(seen.slice(0, -1)).toContain(place);
    expect(seen.length).toBeLessThan(many.length);
    const first = many.indexOf(place) + 1;
    expect(await collectUntil(registry)).toEqual([...many.slice(first), ...many.slice(0, first)]);
    expect(bookmark.text).toBeUndefined();
    for (const name of many) expect(await collect(maintenanceIn(registry).manifests(name))).toHaveLength(1);
  });

  test('begins after the place also if that repository is gone by now', async () => {
    const bookmark = new MemoryBookmark();
    bookmark.text = 'after bb';
    expect(await collectUntil(await withGarbage({ bookmark }))).toEqual(['c', 'd', 'e', 'a', 'b']);
  });

  test.each(['', 'after ', 'after ../../x', 'nonsense', '\0'])(
    'comes to all after the damaged place %j',
    async (text) => {
      const bookmark = new MemoryBookmark();
      bookmark.text = text;
      expect(await collectUntil(await withGarbage({ bookmark }))).toEqual(names);
    },
  );

  test('begins with the orphans if the other was killed there, and with the repositories the next time', async () => {
    const bookmark = new MemoryBookmark();
    const steps: string[] = [];
    const registry = await withGarbage({
      bookmark,
      orphans: async function* () {
        steps.push(`orphans, ${bookmark.text}`);
        yield* [];
      },
    });
    bookmark.text = 'orphans';
    await collectGarbage(registry, {
      gracePeriod: 0,
      onEvent: ({ type }) => void (type === 'repository' && steps.push(type)),
    });
    expect(steps).toEqual(['orphans, undefined', ...names.map(() => 'repository')]);
    steps.length = 0;
    await collectGarbage(registry);
    expect(steps.at(-1)).toBe('orphans, orphans');
    expect(bookmark.text).toBeUndefined();
  });

  test('is not changed by a dry run', async () => {
    const bookmark = new MemoryBookmark();
    bookmark.text = 'after c';
    expect(await collectUntil(await withGarbage({ bookmark }), undefined, true)).toEqual(names);
    expect(bookmark.text).toBe('after c');
  });
});

describe('in a directory', () => {
  const place = (): string => join(dir, '.ocikit', 'collection');

  test('the place of a collection is in a file that another process finds, until a collection is complete', async () => {
    {
      await using registry = openLayouts(dir, { durability: 'none' });
      await Promise.all(some.map((name) => pushContent(registry, name, imageOf())));
      await collectUntil(registry, () => existsSync(place()));
      expect(existsSync(place())).toBe(true);
    }
    await using registry = openLayouts(dir, { durability: 'none' });
    await registry.own();
    const [first] = await collectUntil(registry);
    expect(some.slice(1)).toContain(first);
    expect(existsSync(place())).toBe(false);
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('something else in the place of that file keeps no garbage from being collected', async () => {
    const warnings: string[] = [];
    await using registry = openLayouts(dir, {
      durability: 'none',
      onWarning: (message) => void warnings.push(message),
    });
    for (const name of names) await pushContent(registry, name, imageOf());
    mkdirSync(join(place(), 'x'), { recursive: true });
    await collectUntil(registry);
    expect(await collect(registry.repositories())).toEqual([]);
    expect(warnings.some((message) => message.includes('the place of a collection cannot be kept'))).toBe(true);
  });
});

test('blobs of a manifest that is gone go while another manifest waits for its index', async () => {
  const inner = createMemoryRegistry();
  const [kept, shared] = [randomBlob(10), randomBlob(20)];
  await pushContent(inner, 'app', imageOf({ layers: [kept] }), { tags: ['v1'] });
  const slow = imageOf({ layers: [shared, kept] });
  const fast = imageOf({ layers: [randomBlob(30), shared, kept] });
  for (const image of [slow, fast]) await pushContent(inner, 'app', image);
  const gone: string[] = [];
  const original = maintenanceIn(inner);
  const own = fast.blobs.filter(
    ({ descriptor: { digest } }) => ![kept, shared].some((b) => b.descriptor.digest === digest),
  );
  const early = [fast, ...own].map(({ descriptor }) => descriptor.digest);
  const registry: Registry = {
    ...inner,
    [maintenance]: {
      ...original,
      async removeUnused(repository, digest, options) {
        while (digest === slow.descriptor.digest && early.some((one) => !gone.includes(one))) await pause(1);
        const isGone = await original.removeUnused(repository, digest, options);
        if (isGone) gone.push(digest);
        return isGone;
      },
    } satisfies Maintenance,
  };
  await pause(5);
  const { manifests, blobs } = await collectGarbage(registry, { gracePeriod: 0 });
  expect(gone.slice(0, early.length).toSorted()).toEqual(early.toSorted());
  const all = [slow, ...slow.blobs, fast, ...fast.blobs].map(({ descriptor }) => descriptor.digest);
  expect(new Set(gone)).toEqual(new Set(all.filter((digest) => digest !== kept.descriptor.digest)));
  expect(gone.length).toBe(new Set(gone).size);
  expect(manifests).toEqual({ count: 2, size: slow.bytes.length + fast.bytes.length });
  const size = new Map(
    [...slow.blobs, ...fast.blobs].map(({ descriptor, bytes }) => [descriptor.digest, bytes.length]),
  );
  size.delete(kept.descriptor.digest);
  expect(blobs).toEqual({ count: size.size, size: [...size.values()].reduce((sum, one) => sum + one, 0) });
});

import { setTimeout as pause } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { collect, history, historyOf, isRegistryError, partialRegistry } from '../../model/index.ts';
import type { Registry, TagMove } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, pushContent } from '../../testing/index.ts';

import { asOf, collectGarbage, tagAt, undoTag } from '../index.ts';

import { stores } from '../../../test/stores.ts';

const [first, second, third] = [imageOf(), imageOf(), imageOf()];
const [a, b, c] = [first.descriptor.digest, second.descriptor.digest, third.descriptor.digest];

/** A time between what has happened and what will. */
async function moment(): Promise<Date> {
  await pause(3);
  const now = new Date();
  await pause(3);
  return now;
}

function failsWith(code: string): unknown {
  return expect.objectContaining({ code });
}

describe.each(stores)('in %s', (_name, create) => {
  test('a tag is read as of any time', async () => {
    const registry = create();
    const times = [await moment()];
    await pushContent(registry, 'app', first, { tags: ['latest'] });
    times.push(await moment());
    await pushContent(registry, 'app', second, { tags: ['latest'] });
    times.push(await moment());
    await registry.deleteTag('app', 'latest');
    times.push(await moment());
    const found = await Promise.all(times.map((time) => tagAt(registry, 'app', 'latest', time)));
    expect(found).toEqual([undefined, a, b, undefined]);
    expect(await tagAt(registry, 'nowhere', 'latest', new Date())).toBeUndefined();
  });

  test('a registry as of a time has the tags of that time, and can only be read', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['d', 'b', 'z'] });
    const time = await moment();
    await pushContent(registry, 'app', second, { tags: ['b', 'a', 'y'] });
    await registry.deleteTag('app', 'd');
    await registry.deleteTag('app', 'a');
    const then = asOf(registry, time);
    expect(await collect(then.tags('app'))).toEqual(['b', 'd', 'z']);
    expect(await collect(then.tags('app', { startAfter: 'b' }))).toEqual(['d', 'z']);
    expect(await collect(then.tags('app', { startAfter: 'a', limit: 2 }))).toEqual(['b', 'd']);
    expect(await collect(then.tags('app', { limit: 0 }))).toEqual([]);
    expect((await then.getTag('app', 'b')).bytes).toEqual(first.bytes);
    expect((await then.resolveTag('app', 'd')).digest).toBe(a);
    expect((await registry.resolveTag('app', 'b')).digest).toBe(b);
    await expect(then.getTag('app', 'y')).rejects.toEqual(failsWith('MANIFEST_UNKNOWN'));
    await expect(then.deleteTag('app', 'b')).rejects.toEqual(failsWith('UNSUPPORTED'));
    await expect(collect(then.tags('nowhere'))).rejects.toEqual(failsWith('NAME_UNKNOWN'));
  });

  test('a tag whose content is gone is listed as of its time, but getting it rejects', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['old'] });
    const time = await moment();
    await pushContent(registry, 'app', second, { tags: ['new'] });
    await registry.deleteManifest('app', a);
    const then = asOf(registry, time);
    expect(await collect(then.tags('app'))).toEqual(['old']);
    await expect(then.getTag('app', 'old')).rejects.toEqual(failsWith('MANIFEST_UNKNOWN'));
  });

  test('a move is undone, and done again by undoing that', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['latest'] });
    await pushContent(registry, 'app', second, { tags: ['latest'] });
    expect(await undoTag(registry, 'app', 'latest')).toMatchObject({ digest: a, move: { digest: b, previous: a } });
    expect((await registry.resolveTag('app', 'latest')).digest).toBe(a);
    expect(await undoTag(registry, 'app', 'latest')).toMatchObject({ digest: b });
    expect((await registry.getTag('app', 'latest')).bytes).toEqual(second.bytes);
  });

  test('an undo brings a deleted tag back, and deletes a new one', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['latest'] });
    await registry.deleteTag('app', 'latest');
    await undoTag(registry, 'app', 'latest');
    expect((await registry.resolveTag('app', 'latest')).digest).toBe(a);
    await pushContent(registry, 'app', second, { tags: ['new'] });
    expect(await undoTag(registry, 'app', 'new')).toMatchObject({ digest: undefined });
    await expect(registry.resolveTag('app', 'new')).rejects.toEqual(failsWith('MANIFEST_UNKNOWN'));
  });

  test('an undo rejects if the content is gone or no move of the tag is known, and changes nothing', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['latest'] });
    await pushContent(registry, 'app', second, { tags: ['latest'] });
    await registry.deleteManifest('app', a);
    await expect(undoTag(registry, 'app', 'latest')).rejects.toThrow(
      `app:latest cannot be set back to ${a}: its content is gone`,
    );
    expect((await registry.resolveTag('app', 'latest')).digest).toBe(b);
    await expect(undoTag(registry, 'app', 'other')).rejects.toThrow('no move of app:other is known');
  });

  test('an undo rejects if another client moves the tag meanwhile', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['latest'] });
    await pushContent(registry, 'app', second, { tags: ['latest'] });
    // Another client moves the tag after the content was read, just before the tag is set back.
    const busy: Registry = {
      ...registry,
      async getManifest(...args) {
        await pushContent(registry, 'app', third, { tags: ['latest'] });
        return registry.getManifest(...args);
      },
    };
    await expect(undoTag(busy, 'app', 'latest')).rejects.toEqual(failsWith('PRECONDITION_FAILED'));
    expect((await registry.resolveTag('app', 'latest')).digest).toBe(c);
  });

  test('a collection keeps the former content of tags for the time of keepHistory', async () => {
    const registry = create();
    await pushContent(registry, 'app', first, { tags: ['latest'] });
    await pushContent(registry, 'app', second, { tags: ['latest'] });
    await registry.deleteTag('app', 'latest');
    await pause(10);
    await collectGarbage(registry, { gracePeriod: 0, keepHistory: 60_000 });
    await undoTag(registry, 'app', 'latest');
    expect((await registry.getTag('app', 'latest')).bytes).toEqual(second.bytes);
    for (const { descriptor } of [...first.blobs, ...second.blobs]) {
      await expect(registry.resolveBlob('app', descriptor.digest)).resolves.toBeDefined();
    }
    await pause(10);
    await collectGarbage(registry, { gracePeriod: 0, keepHistory: 1 });
    const isThere = await registry.resolveManifest('app', a).catch((error: unknown) => isRegistryError(error));
    expect(isThere).toBe(true);
  });
});

test('a registry without a history is refused', async () => {
  const registry: Registry = { ...createMemoryRegistry(), [history]: undefined };
  const unsupported = failsWith('UNSUPPORTED');
  await expect(undoTag(registry, 'app', 'latest')).rejects.toEqual(unsupported);
  await expect(tagAt(registry, 'app', 'latest', new Date())).rejects.toEqual(unsupported);
  await expect(collectGarbage(registry, { keepHistory: 1 })).rejects.toEqual(unsupported);
  expect(() => asOf(partialRegistry({}), new Date())).toThrow('no history');
});

test('a tag that moved after its last known move is not undone', async () => {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'app', first, { tags: ['latest'] });
  const known = historyOf(registry)?.moves('app');
  const before = known === undefined ? [] : await collect(known);
  await pushContent(registry, 'app', second, { tags: ['latest'] });
  async function* moves(): AsyncGenerator<TagMove, void, undefined> {
    yield* before;
  }
  const behind: Registry = { ...registry, [history]: { moves } };
  await expect(undoTag(behind, 'app', 'latest')).rejects.toEqual(failsWith('PRECONDITION_FAILED'));
});

import { describe, expect, test } from 'vitest';

import { createServer } from '../../http/server/index.ts';
import { isRegistryError, maintenance, maintenanceOf, RegistryError } from '../../model/index.ts';
import type { Maintenance, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { blobOf, imageOf, indexOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { changed, failing } from '../../../test/members.ts';

import { TagConflictError, unify } from './index.ts';
import type { TagConflict } from './index.ts';

const down = new RegistryError('UNAVAILABLE', 'down');
const created = 'org.opencontainers.image.created';

async function holding(image: TestManifest, tag = 'v1'): Promise<Registry> {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'a', image, { tags: [tag] });
  return registry;
}

/** As a registry over HTTP, which does not tell the times of storing. */
function withoutMaintenance(registry: Registry): Registry {
  return changed(registry, { [maintenance]: undefined });
}

/** A registry all of whose manifests were stored then. */
function storedAt(registry: Registry, time: string): Registry {
  const inner = maintenanceOf(registry);
  if (inner === undefined) throw new Error('a memory has maintenance');
  const changedTimes: Maintenance = {
    ...inner,
    async *manifests(...args) {
      for await (const stored of inner.manifests(...args)) yield { ...stored, createdAt: new Date(time) };
    },
  };
  return changed(registry, { [maintenance]: changedTimes });
}

const digestOfTag = async (registry: Registry): Promise<string> => {
  const { descriptor } = await registry.getTag('a', 'v1');
  expect(await registry.resolveTag('a', 'v1')).toEqual(descriptor);
  return descriptor.digest;
};

const builtAt = (time: string): TestManifest => imageOf({ annotations: { [created]: time } });
const configuredAt = (time: unknown): TestManifest => imageOf({ config: blobOf(JSON.stringify({ created: time })) });
const [older, newer] = [imageOf(), imageOf()];

describe.each<TagConflict>(['error', 'first', 'newest'])('a tag, with the policy %s', (tagConflict) => {
  test('is found if all members have it at the same manifest', async () => {
    const registry = unify([await holding(older), await holding(older)], { tagConflict });
    expect(await digestOfTag(registry)).toBe(older.descriptor.digest);
  });

  test('is found if one member has it, whether the others lack it or fail', async () => {
    for (const other of [
      createMemoryRegistry(),
      await holding(newer, 'other'),
      failing(createMemoryRegistry(), down),
    ]) {
      for (const members of [
        [other, await holding(older)],
        [await holding(older), other],
      ]) {
        expect(await digestOfTag(unify(members, { tagConflict }))).toBe(older.descriptor.digest);
      }
    }
  });

  test('is not called unknown if no member has it and one fails', async () => {
    const registry = unify([await holding(older, 'other'), failing(createMemoryRegistry(), down)], { tagConflict });
    await expect(registry.getTag('a', 'v1')).rejects.toBe(down);
    await expect(registry.resolveTag('a', 'v1')).rejects.toBe(down);
    const unknown = unify([await holding(older, 'other'), createMemoryRegistry()], { tagConflict });
    await expect(unknown.getTag('a', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    const nowhere = unify([createMemoryRegistry(), createMemoryRegistry()], { tagConflict });
    await expect(nowhere.getTag('a', 'v1')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('is found anew if it is moved, and its old manifest deleted, while it is being read', async () => {
    const inner = await holding(older);
    let isMoved = false;
    const moving = changed(inner, {
      async getManifest(...args) {
        if (!isMoved) {
          isMoved = true;
          await pushContent(inner, 'a', newer, { tags: ['v1'] });
          await inner.deleteManifest('a', older.descriptor.digest);
        }
        return inner.getManifest(...args);
      },
    });
    const { descriptor } = await unify([moving, createMemoryRegistry()], { tagConflict }).getTag('a', 'v1');
    expect(descriptor.digest).toBe(newer.descriptor.digest);
  });
});

describe('a tag that members have at different manifests', () => {
  test('is a conflict that names the manifests', async () => {
    const members = [await holding(older), createMemoryRegistry(), await holding(newer), await holding(older)];
    const registry = unify(members);
    for (const call of [registry.getTag('a', 'v1'), registry.resolveTag('a', 'v1')]) {
      const error = await call.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TagConflictError);
      expect(error).toMatchObject({
        code: 'CONFLICT',
        found: [
          { member: 0, digest: older.descriptor.digest },
          { member: 2, digest: newer.descriptor.digest },
          { member: 3, digest: older.descriptor.digest },
        ],
      });
    }
    const answer = await createServer(registry).fetch(new Request('http://registry.test/v2/a/manifests/v1'));
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 'CONFLICT', detail: { tag: 'v1' } }] });
  });

  test('is that of the first member that has it with the policy `first`, and the others are not asked', async () => {
    let asked = 0;
    const counting = changed(await holding(newer), {
      resolveTag: () => {
        asked++;
        return Promise.reject(down);
      },
    });
    const members = [createMemoryRegistry(), await holding(older), counting];
    expect(await digestOfTag(unify(members, { tagConflict: 'first' }))).toBe(older.descriptor.digest);
    expect(asked).toBe(0);
  });

  test('can be read by digest at each of them', async () => {
    const registry = unify([await holding(older), await holding(newer)]);
    for (const { descriptor } of [older, newer]) {
      expect((await registry.getManifest('a', descriptor.digest)).descriptor.digest).toBe(descriptor.digest);
    }
  });

  test('is the same everywhere after a push, and gone after a deletion', async () => {
    const registry = unify([await holding(older), await holding(newer)]);
    const { bytes, mediaType } = newer;
    await registry.pushManifest('a', bytes, mediaType, { tags: ['v1'] });
    expect(await digestOfTag(registry)).toBe(newer.descriptor.digest);
    const other = unify([await holding(older), await holding(newer)]);
    await other.deleteTag('a', 'v1');
    await expect(other.getTag('a', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test('is not seen while this view moves it', async () => {
    const slow = createMemoryRegistry();
    const members = [
      createMemoryRegistry(),
      changed(slow, {
        async pushManifest(...args) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return slow.pushManifest(...args);
        },
      }),
    ];
    const registry = unify(members);
    for (const image of [older, newer]) await pushContent(registry, 'a', image);
    await registry.pushManifest('a', older.bytes, older.mediaType, { tags: ['v1'] });
    const push = registry.pushManifest('a', newer.bytes, newer.mediaType, { tags: ['v1'] });
    let conflicts = 0;
    const seen = new Set<string>();
    for (let done = false; !done;) {
      done = await Promise.race([
        push.then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 1, false)),
      ]);
      try {
        seen.add((await registry.resolveTag('a', 'v1')).digest);
      } catch (error) {
        if (!isRegistryError(error, 'CONFLICT')) throw error;
        conflicts++;
      }
    }
    expect(conflicts).toBe(0);
    expect(seen.has(newer.descriptor.digest)).toBe(true);
  });
});

describe('the newest of several manifests', () => {
  const newest = (members: readonly Registry[]): Promise<string> =>
    digestOfTag(unify(members, { tagConflict: 'newest' }));
  const hidden = async (image: TestManifest): Promise<Registry> => withoutMaintenance(await holding(image));

  test('is the one stored last, if all members know the times of storing', async () => {
    const [a, b] = [builtAt('2024-01-01T00:00:00Z'), builtAt('2023-01-01T00:00:00Z')];
    const early = storedAt(await holding(a), '2025-01-01T00:00:00Z');
    const late = storedAt(await holding(b), '2025-01-02T00:00:00Z');
    expect(await newest([early, late])).toBe(b.descriptor.digest);
    expect(await newest([late, early])).toBe(b.descriptor.digest);
  });

  test('is no newer for having been copied to another member later', async () => {
    const copy = storedAt(await holding(older), '2025-03-01T00:00:00Z');
    const original = storedAt(await holding(older), '2025-01-01T00:00:00Z');
    const other = storedAt(await holding(newer), '2025-02-01T00:00:00Z');
    expect(await newest([copy, original, other])).toBe(newer.descriptor.digest);
  });

  test('is the one built last, by its annotation or its config, if some members do not know the times of storing', async () => {
    const [a, b] = [builtAt('2024-01-01T00:00:00Z'), builtAt('2024-01-01T01:00:00+00:30')];
    expect(await newest([await hidden(a), await holding(b)])).toBe(b.descriptor.digest);
    expect(await newest([await hidden(b), await hidden(a)])).toBe(b.descriptor.digest);
    const [c, d] = [configuredAt('2024-01-01T00:00:00.000000001Z'), configuredAt('2024-02-01T00:00:00Z')];
    expect(await newest([await hidden(c), await hidden(d)])).toBe(d.descriptor.digest);
    expect(await newest([await hidden(d), await hidden(a)])).toBe(d.descriptor.digest);
    const index = indexOf([], { annotations: { [created]: '2025-01-01T00:00:00Z' } });
    expect(await newest([await hidden(d), await hidden(index)])).toBe(index.descriptor.digest);
  });

  test.each<[why: string, a: TestManifest, b: TestManifest]>([
    ['one does not say it', builtAt('2024-01-01T00:00:00Z'), imageOf()],
    ['one is an index without a date', builtAt('2024-01-01T00:00:00Z'), indexOf([])],
    ['both are from the same moment', builtAt('2024-01-01T00:00:00Z'), builtAt('2024-01-01T01:00:00+01:00')],
    ['one is from a build that says 1970', configuredAt('1970-01-01T00:00:00Z'), configuredAt('2024-01-01T00:00:00Z')],
    ['one is from the year 1', configuredAt('0001-01-01T00:00:00Z'), configuredAt('2024-01-01T00:00:00Z')],
    ['what one says is no date', builtAt('yesterday'), builtAt('2024-01-01T00:00:00Z')],
    ['what one says is not a text', configuredAt(17), configuredAt('2024-01-01T00:00:00Z')],
    ['a config is not JSON', imageOf({ config: blobOf('{') }), configuredAt('2024-01-01T00:00:00Z')],
  ])('is not known if %s: that is a conflict', async (_why, a, b) => {
    for (const members of [
      [await hidden(a), await hidden(b)],
      [await hidden(b), await hidden(a)],
    ]) {
      await expect(newest(members)).rejects.toMatchObject({ code: 'CONFLICT' });
    }
  });

  test('is not read from a config that is too large', async () => {
    const config = { ...blobOf('{}').descriptor, size: 5 * 1024 * 1024 };
    const a = imageOf({ config, layers: [] });
    const sparse = createMemoryRegistry({ sparse: true });
    await pushContent(sparse, 'a', a, { tags: ['v1'] });
    let asked = 0;
    const counting = changed(sparse, { getBlob: (...args) => (asked++, sparse.getBlob(...args)) });
    const members = [withoutMaintenance(counting), await hidden(builtAt('2024-01-01T00:00:00Z'))];
    await expect(newest(members)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(asked).toBe(0);
  });
});

import { describe, expect, test } from 'vitest';

import { collect, maintenance, maintenanceOf, RegistryError } from '../../model/index.ts';
import type { Maintenance, Registry, StoredManifest } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { artifactOf, blobOf, imageOf, indexOf, pushContent, randomBlob } from '../../testing/index.ts';

import { changed, failing } from '../../../test/members.ts';

import { unify } from './index.ts';

const down = new RegistryError('UNAVAILABLE', 'down');
const later = (): Date => new Date(Date.now() + 60_000);
const memories = (count: number): Registry[] => Array.from({ length: count }, () => createMemoryRegistry());

function maintenanceIn(registry: Registry): Maintenance {
  const found = maintenanceOf(registry);
  if (found === undefined) throw new Error('it has no maintenance');
  return found;
}

describe('the lists of several registries', () => {
  test('are merged, in byte order, with their limits', async () => {
    const [a, b] = [createMemoryRegistry(), createMemoryRegistry()];
    const index = indexOf([]);
    await pushContent(a, 'both', index, { tags: ['v1', 'v10', 'v3'] });
    await pushContent(b, 'both', index, { tags: ['V9', 'v1', 'v2'] });
    await pushContent(a, 'a/only', index);
    await pushContent(b, 'b/only', index, { tags: ['x'] });
    const registry = unify([a, b]);
    expect(await collect(registry.repositories())).toEqual(['a/only', 'b/only', 'both']);
    expect(await collect(registry.repositories({ startAfter: 'a/only', limit: 1 }))).toEqual(['b/only']);
    expect(await collect(registry.tags('both'))).toEqual(['V9', 'v1', 'v10', 'v2', 'v3']);
    expect(await collect(registry.tags('both', { startAfter: 'v1', limit: 2 }))).toEqual(['v10', 'v2']);
    expect(await collect(registry.tags('b/only'))).toEqual(['x']);
    await expect(collect(registry.tags('neither'))).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('have each referrer once', async () => {
    const [a, b] = [createMemoryRegistry(), createMemoryRegistry()];
    const image = imageOf();
    const artifacts = Array.from({ length: 3 }, (_, i) =>
      artifactOf({ artifactType: `application/vnd.example.${i % 2}`, subject: image.descriptor }),
    );
    for (const registry of [a, b]) await pushContent(registry, 'a', image);
    const [x, y, z] = artifacts;
    if (x === undefined || y === undefined || z === undefined) throw new Error('there are three');
    for (const artifact of [x, y]) await pushContent(a, 'a', artifact);
    for (const artifact of [y, z]) await pushContent(b, 'a', artifact);
    const registry = unify([a, b]);
    const list = async (options = {}): Promise<string[]> =>
      (await collect(registry.referrers('a', image.descriptor.digest, options))).map(({ digest }) => digest);
    const digests = artifacts.map(({ descriptor }) => descriptor.digest).toSorted();
    expect(await list()).toEqual(digests);
    expect(await list({ startAfter: digests[0], limit: 1 })).toEqual([digests[1]]);
    expect(await list({ artifactType: 'application/vnd.example.1' })).toEqual([y.descriptor.digest]);
    expect(await collect(registry.referrers('neither', image.descriptor.digest))).toEqual([]);
  });

  test('fail if one of them fails: a short list would be taken for the complete one', async () => {
    const registry = unify([createMemoryRegistry(), failing(createMemoryRegistry(), down)]);
    await expect(collect(registry.repositories())).rejects.toBe(down);
    await expect(collect(registry.tags('a'))).rejects.toBe(down);
    await expect(collect(registry.referrers('a', blobOf('').descriptor.digest))).rejects.toBe(down);
  });
});

describe('the maintenance of several registries', () => {
  test('exists only if all of them have it', () => {
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = memories(2);
    expect(maintenanceOf(unify([a, b]))).toBeDefined();
    expect(maintenanceOf(unify([a, changed(b, { [maintenance]: undefined })]))).toBeUndefined();
  });

  test('knows the tags of all of them, the first time of storing and the last use', async () => {
    const [a, b] = [createMemoryRegistry(), createMemoryRegistry()];
    const index = indexOf([]);
    await pushContent(a, 'a', index, { tags: ['v2', 'v1'] });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await pushContent(b, 'a', index, { tags: ['v3', 'v1'] });
    const list = (registry: Registry): Promise<StoredManifest[]> => collect(maintenanceIn(registry).manifests('a'));
    const [ofA] = await list(a);
    const [ofB] = await list(b);
    const [of, ...others] = await list(unify([b, a]));
    expect(of).toMatchObject({ tags: ['v1', 'v2', 'v3'], createdAt: ofA?.createdAt, usedAt: ofB?.usedAt });
    expect(others).toEqual([]);
  });

  test('counts content of several members once, and content of one member too', async () => {
    const [a, b] = [createMemoryRegistry(), createMemoryRegistry()];
    const [both, onlyA, onlyB] = [randomBlob(1000), randomBlob(200), randomBlob(30)];
    for (const registry of [a, b]) await registry.pushBlob('both', both.descriptor, both.bytes);
    await a.pushBlob('a', onlyA.descriptor, onlyA.bytes);
    await b.pushBlob('b', onlyB.descriptor, onlyB.bytes);
    await b.pushBlob('b', both.descriptor, both.bytes);
    const usage = await maintenanceIn(unify([a, b])).usage();
    expect(usage).toEqual({ repositories: 3, manifests: 0, blobs: 3, uploads: 0, size: 1230 });
  });

  test('finds content that is damaged in one member, and content that only one member has', async () => {
    const { digest } = randomBlob().descriptor;
    const saying = (verdict: 'ok' | 'missing' | 'corrupt'): Registry => {
      const registry = createMemoryRegistry();
      return changed(registry, { [maintenance]: { ...maintenanceIn(registry), verify: async () => verdict } });
    };
    const verdict = (...verdicts: readonly ('ok' | 'missing' | 'corrupt')[]): Promise<string> =>
      maintenanceIn(unify(verdicts.map(saying))).verify('a', digest);
    expect(await verdict('ok', 'corrupt')).toBe('corrupt');
    expect(await verdict('corrupt', 'missing')).toBe('corrupt');
    expect(await verdict('missing', 'ok')).toBe('ok');
    expect(await verdict('missing', 'missing')).toBe('missing');
  });

  test('has removed content if no member has it any more', async () => {
    const stores = memories(2);
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
    const { descriptor, bytes } = randomBlob();
    const { digest } = descriptor;
    const upkeep = maintenanceIn(unify(stores));
    await b.pushBlob('a', descriptor, bytes);
    expect(await upkeep.removeUnused('a', digest, { unusedSince: later() })).toBe(true);
    expect(await upkeep.removeUnused('a', digest, { unusedSince: later() })).toBe(false);

    const index = indexOf([]);
    await pushContent(a, 'a', index);
    await pushContent(b, 'a', index, { tags: ['v1'] });
    expect(await upkeep.removeUnused('a', index.descriptor.digest, { unusedSince: later() })).toBe(false);
    expect((await unify(stores).resolveTag('a', 'v1')).digest).toBe(index.descriptor.digest);
  });

  test('removes nothing from members that are not written to', async () => {
    const stores = memories(2);
    const { descriptor, bytes } = randomBlob();
    for (const store of stores) await store.pushBlob('a', descriptor, bytes);
    const upkeep = maintenanceIn(unify(stores, { write: 0 }));
    expect(await upkeep.removeUnused('a', descriptor.digest, { unusedSince: later() })).toBe(false);
    await expect(stores[0]?.resolveBlob('a', descriptor.digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    expect((await stores[1]?.resolveBlob('a', descriptor.digest))?.size).toBe(bytes.length);
  });

  test('leases in all of them, or in none', async () => {
    const stores = memories(2);
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
    const { descriptor, bytes } = randomBlob();
    const { digest } = descriptor;
    for (const store of stores) await store.pushBlob('a', descriptor, bytes);
    const remove = (store: Registry): Promise<boolean> =>
      maintenanceIn(store).removeUnused('a', digest, { unusedSince: later() });
    const lease = await maintenanceIn(unify(stores)).lease('a', [digest]);
    expect([await remove(a), await remove(b)]).toEqual([false, false]);
    await lease[Symbol.asyncDispose]();
    const refusing = changed(b, { [maintenance]: { ...maintenanceIn(b), lease: () => Promise.reject(down) } });
    await expect(maintenanceIn(unify([a, refusing])).lease('a', [digest])).rejects.toBe(down);
    expect([await remove(a), await remove(b)]).toEqual([true, true]);
  });
});

import { describe, expect, test } from 'vitest';

import { eventually } from '../../../test/eventually.ts';
import { collect, maintenance, maintenanceOf } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, pushContent, randomBlob } from '../../testing/index.ts';

import { cache } from './cache.ts';
import type { CacheEvent } from './shared/index.ts';

const kibibyte = 1024;
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function sizeOf(store: Registry): Promise<number> {
  return (await maintenanceOf(store)?.usage())?.size ?? Number.NaN;
}

describe('eviction', () => {
  test('removes the least recently used content until there is room, and never content that was just used', async () => {
    const origin = createMemoryRegistry();
    const store = createMemoryRegistry({ sparse: true });
    const events: CacheEvent[] = [];
    const options = { maxSize: 1000 * kibibyte, evictAfter: 30, onEvent: (event: CacheEvent) => events.push(event) };
    await using registry = cache(origin, store, options);
    const blobs = Array.from({ length: 12 }, () => randomBlob(100 * kibibyte));
    for (const { descriptor, bytes } of blobs) await origin.pushBlob('app', descriptor, bytes);
    const pull = async (i: number): Promise<void> => {
      const digest = blobs[i]?.descriptor.digest;
      if (digest !== undefined) await (await registry.getBlob('app', digest)).bytes();
    };
    for (let i = 0; i < 10; i++) {
      await pull(i);
      await pause(5);
    }
    await pause(40);
    // The first one is used again, so it is not the one that was used longest ago.
    await pull(0);
    await pull(10);
    await eventually(async () => expect(await sizeOf(store)).toBeLessThanOrEqual(1000 * kibibyte));
    const evicted = events.filter(({ type }) => type === 'evicted').map(({ reference }) => reference);
    expect(evicted).toContain(blobs[1]?.descriptor.digest);
    expect(evicted).not.toContain(blobs[0]?.descriptor.digest);
    expect(evicted).not.toContain(blobs[10]?.descriptor.digest);
    // Evicted content can be pulled again.
    await pull(1);
  });

  test('removes tagged manifests with their tags, which can be pulled again', async () => {
    const origin = createMemoryRegistry();
    const store = createMemoryRegistry({ sparse: true });
    await using registry = cache(origin, store, { maxSize: 300 * kibibyte, evictAfter: 20, maxAge: 0 });
    const image = imageOf({ annotations: { a: 'x'.repeat(200 * kibibyte) } });
    await pushContent(origin, 'old', image, { tags: ['v1', 'v2'] });
    await registry.getTag('old', 'v1');
    await registry.getTag('old', 'v2');
    await pause(50);
    const blob = randomBlob(250 * kibibyte);
    await origin.pushBlob('new', blob.descriptor, blob.bytes);
    await (await registry.getBlob('new', blob.descriptor.digest)).bytes();
    await eventually(async () => expect(await collect(store.repositories())).toEqual(['new']));
    expect((await registry.getTag('old', 'v2')).bytes.length).toBe(image.bytes.length);
  });

  test('leaves content that is being read, however old it is', async () => {
    const origin = createMemoryRegistry();
    const store = createMemoryRegistry({ sparse: true });
    const [first, second] = [randomBlob(100 * kibibyte), randomBlob(100 * kibibyte)];
    for (const { descriptor, bytes } of [first, second]) await origin.pushBlob('app', descriptor, bytes);
    await using registry = cache(origin, store, { maxSize: 150 * kibibyte, evictAfter: 10 });
    await (await registry.getBlob('app', first.descriptor.digest)).bytes();
    const reading = await registry.getBlob('app', first.descriptor.digest);
    await pause(30);
    await (await registry.getBlob('app', second.descriptor.digest)).bytes();
    await pause(100);
    expect((await store.resolveBlob('app', first.descriptor.digest)).size).toBe(100 * kibibyte);
    expect(await reading.bytes()).toHaveLength(100 * kibibyte);
  });

  test('needs a store with Maintenance', () => {
    const store = { ...createMemoryRegistry(), [maintenance]: undefined };
    expect(() => cache(createMemoryRegistry(), store, { maxSize: 1 })).toThrow(TypeError);
  });
});

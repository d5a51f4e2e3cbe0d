import { expect, test } from 'vitest';

import { maintenanceOf } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { randomBlob } from '../../../testing/index.ts';

import { cache } from '../cache.ts';

test('a blob that the store has found is not evicted before it is read', async () => {
  const [origin, inner] = [createMemoryRegistry(), createMemoryRegistry({ sparse: true })];
  const blob = randomBlob(1000);
  const { digest } = blob.descriptor;
  await inner.pushBlob('app', blob.descriptor, blob.bytes);
  const removed: unknown[] = [];
  const getBlob: Registry['getBlob'] = async (...args) => {
    const content = await inner.getBlob(...args);
    const unusedSince = new Date(Date.now() + 60_000);
    removed.push(await maintenanceOf(inner)?.removeUnused('app', digest, { unusedSince }));
    return content;
  };
  await using registry = cache(origin, { ...inner, getBlob });
  const content = await registry.getBlob('app', digest);
  expect(await content.bytes()).toEqual(blob.bytes);
  expect(removed).toEqual([false]);
  // The lease ends with the reader.
  const unusedSince = new Date(Date.now() + 60_000);
  await expect.poll(() => maintenanceOf(inner)?.removeUnused('app', digest, { unusedSince })).toBe(true);
  // A blob that the store does not have is not leased for longer.
  await inner.pushBlob('app', blob.descriptor, blob.bytes);
  const other = randomBlob(10);
  await expect(registry.getBlob('app', other.descriptor.digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  await inner.pushBlob('app', other.descriptor, other.bytes);
  expect(await maintenanceOf(inner)?.removeUnused('app', other.descriptor.digest, { unusedSince })).toBe(true);
});

import { describe, expect, expectTypeOf, test } from 'vitest';

import { maintenanceOf } from '../../model/index.ts';
import type { maintenance, Maintenance, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { randomBlob } from '../../testing/index.ts';

import { forward, forwardMaintenance, forwardUpload } from './forward.ts';
import type { lists, reads, RegistryMethod, View } from './forward.ts';

describe('forward', () => {
  test('gives the methods that are named, bound, and no others', async () => {
    class Counting {
      count = 0;
      async resolveTag(): Promise<number> {
        return ++this.count;
      }
    }
    const registry = new Counting() as unknown as Registry;
    const methods = forward(registry, 'resolveTag');
    expect(Object.keys(methods)).toEqual(['resolveTag']);
    const { resolveTag } = methods;
    await resolveTag('a', 'b');
    expect(registry).toMatchObject({ count: 1 });
  });

  test('makes a view only together with a decision about every other method, and about the maintenance', () => {
    expectTypeOf<Registry>().not.toExtend<View>();
    expectTypeOf<Omit<View, 'getTag'>>().not.toExtend<View>();
    expectTypeOf<Omit<View, typeof maintenance>>().not.toExtend<View>();
    expectTypeOf<View>().toExtend<Registry>();
    type Rest = Exclude<RegistryMethod, (typeof reads)[number] | (typeof lists)[number]>;
    expectTypeOf<Rest>().toEqualTypeOf<
      | 'pushBlob'
      | 'startUpload'
      | 'resumeUpload'
      | 'mountBlob'
      | 'pushManifest'
      | 'deleteBlob'
      | 'deleteManifest'
      | 'deleteTag'
    >();
  });

  test('gives parts of the maintenance', async () => {
    const inner = maintenanceOf(createMemoryRegistry()) as Maintenance;
    const { usage } = forwardMaintenance(inner, 'usage');
    expect(await usage()).toMatchObject({ blobs: 0 });
  });
});

describe('a forwarded upload', () => {
  test('has the size and id that the upload has now', async () => {
    const upload = await createMemoryRegistry().startUpload('a');
    const forwarded = forwardUpload(upload, { id: (id) => `of ${id}` });
    expect(forwarded.size).toBe(0);
    await forwarded.append(new Uint8Array(7));
    expect([forwarded.size, forwarded.id]).toEqual([7, `of ${upload.id}`]);
    expect(await forwarded.read?.().bytes()).toEqual(new Uint8Array(7));
  });

  test('is closed by its own `close`, also at the end of a block', async () => {
    const upload = await createMemoryRegistry().startUpload('a');
    let closed = 0;
    {
      await using forwarded = forwardUpload(upload, { close: async () => void closed++ });
      await forwarded.append(randomBlob().bytes);
    }
    expect(closed).toBe(1);
  });

  test('has no `read` if there is none inside', async () => {
    const upload = await createMemoryRegistry().startUpload('a');
    Object.defineProperty(upload, 'read', { value: undefined });
    expect('read' in forwardUpload(upload)).toBe(false);
  });
});

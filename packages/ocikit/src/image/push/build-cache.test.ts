// Indexes that name blobs, as buildkit's registry cache does: stored, served, collected, checked and copied.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { describe, expect, onTestFinished, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { collect, maintenanceOf, mediaTypes, readSource } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { blobOf, imageOf, indexOf, manifestOf, pushContent, randomBlob } from '../../testing/node.ts';
import type { TestManifest } from '../../testing/node.ts';
import { check, collectGarbage, repair } from '../../upkeep/index.ts';
import { cache } from '../../views/cache/index.ts';
import { immutable } from '../../views/index.ts';
import { unify } from '../../views/unify/index.ts';

import { asIndex, layoutFiles, pull, push, readLayout, walk } from '../index.ts';

import { startTestServer } from '../../../test/start-test-server.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

/** An index of blobs of these types and of one image. */
function cacheOf(types: readonly string[], mediaType: string = mediaTypes.imageIndex): TestManifest {
  const blobs = types.map((type) => randomBlob(500, { mediaType: type }));
  const image = imageOf();
  const manifests = [...blobs.map(({ descriptor }) => descriptor), image.descriptor];
  return manifestOf({ schemaVersion: 2, mediaType, manifests }, { mediaType, blobs, manifests: [image] });
}

const buildkit = (): TestManifest =>
  cacheOf([mediaTypes.layerGzip, mediaTypes.layer, 'application/vnd.buildkit.cacheconfig.v0']);
const unusual = (): TestManifest => cacheOf(['foo', 'text/plain; charset=utf-8', mediaTypes.octetStream]);

const stores: readonly [string, () => Promise<Registry>][] = [
  ['in memory', async () => createMemoryRegistry()],
  [
    'in a layout for each repository',
    async () => opened(openLayouts(await temporaryDirectory(), { durability: 'none' })),
  ],
  ['in one layout for all', async () => opened(openLayout(await temporaryDirectory(), { durability: 'none' }))],
];

function opened<T extends Registry & { close: () => Promise<void> }>(registry: T): T {
  onTestFinished(() => registry.close());
  return registry;
}

const registries: readonly [string, () => Promise<Registry>][] = [
  ...stores,
  [
    'behind a server',
    async () => {
      const server = await startTestServer();
      return createClient({ host: server.host, fetch: server.fetch });
    },
  ],
  ['in two registries as one', async () => unify([createMemoryRegistry(), createMemoryRegistry()])],
];

describe.each(registries)('an index of blobs %s', (_place, start) => {
  test.each([
    ['of buildkit', buildkit],
    ['of unusual types', unusual],
    ['of Docker', () => cacheOf([mediaTypes.dockerLayer], mediaTypes.dockerManifestList)],
  ])('%s is accepted when its blobs are there, and refused before', async (_what, make) => {
    const registry = await start();
    const index = make();
    const [last, ...others] = index.blobs.toReversed();
    for (const blob of others) await registry.pushBlob('a', blob.descriptor, blob.bytes);
    for (const image of index.manifests) await pushContent(registry, 'a', image);
    const pushIt = (): Promise<unknown> =>
      registry.pushManifest('a', index.bytes, index.mediaType, { tags: ['cache'] });
    await expect(pushIt()).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' });
    if (last === undefined) throw new Error('the index names no blob');
    await registry.pushBlob('a', last.descriptor, last.bytes);
    await pushIt();
    expect(Buffer.from((await registry.getTag('a', 'cache')).bytes)).toEqual(Buffer.from(index.bytes));
  });

  test('needs its images as manifests', async () => {
    const registry = await start();
    const image = imageOf();
    const index = manifestOf({ schemaVersion: 2, manifests: [image.descriptor] }, { mediaType: mediaTypes.imageIndex });
    await registry.pushBlob('a', { digest: image.descriptor.digest, size: image.descriptor.size }, image.bytes);
    const pushed = registry.pushManifest('a', index.bytes, index.mediaType);
    await expect(pushed).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' });
  });

  test('may give a manifest an unknown type', async () => {
    const registry = await start();
    const image = imageOf();
    await pushContent(registry, 'a', image);
    const manifests = [{ ...image.descriptor, mediaType: 'application/vnd.example' }];
    const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
    await registry.pushManifest('a', index.bytes, index.mediaType, { tags: ['x'] });
    expect((await registry.resolveTag('a', 'x')).digest).toBe(index.descriptor.digest);
  });

  test('is copied with its blobs, and only once', async () => {
    const from = createMemoryRegistry();
    const index = buildkit();
    await pushContent(from, 'cache', index, { tags: ['main'] });
    const registry = await start();
    const sent: string[] = [];
    const ref = await pull(from, 'cache', { tag: 'main' });
    for (const tag of ['first', 'second']) {
      await push(registry, 'b', ref, {
        tags: [tag],
        onEvent: (event) => {
          if (event.type === 'started') sent.push(event.digest ?? '');
        },
      });
    }
    const [image] = index.manifests;
    const blobs = [...index.blobs, ...(image?.blobs ?? [])];
    expect(sent.toSorted()).toEqual(blobs.map(({ descriptor }) => descriptor.digest).toSorted());
    for (const { descriptor, bytes } of blobs) {
      expect(await (await registry.getBlob('b', descriptor.digest)).bytes()).toEqual(bytes);
    }
    const copied = await pull(registry, 'b', { tag: 'second' });
    expect((await collect(walk(copied))).map(({ descriptor }) => descriptor.digest)).toEqual([
      image?.descriptor.digest,
      index.descriptor.digest,
    ]);
    if (copied.kind !== 'index') throw new Error('it is no index');
    expect(copied.blobs.map(({ digest }) => digest)).toEqual(index.blobs.map(({ descriptor }) => descriptor.digest));
    for (const [i, blob] of copied.blobs.entries()) {
      expect(await copied.readVerified(blob)).toEqual(index.blobs[i]?.bytes);
    }
  });
});

/** Collects the content that was used until now. */
async function collectNow(registry: Registry): Promise<void> {
  await pause(10);
  await collectGarbage(registry, { gracePeriod: 0 });
}

describe.each(stores)('the blobs of an index %s', (_place, start) => {
  test.each([
    ['of buildkit', buildkit],
    ['of unusual types', unusual],
  ])('%s are kept as long as a tag reaches it, and go with it', async (_what, make) => {
    const registry = await start();
    const index = make();
    await pushContent(registry, 'a', index, { tags: ['cache'] });
    await pushContent(registry, 'a', imageOf(), { tags: ['other'] });
    await collectNow(registry);
    for (const { descriptor } of index.blobs) await registry.resolveBlob('a', descriptor.digest);
    expect(await collect(check(registry, { gracePeriod: 0 }))).toEqual([]);

    await registry.deleteTag('a', 'cache');
    await collectNow(registry);
    for (const { descriptor } of index.blobs) {
      await expect(registry.resolveBlob('a', descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    }
    expect(await collect(check(registry, { gracePeriod: 0 }))).toEqual([]);
  });

  test('may be a manifest, which is kept and goes with the index too', async () => {
    const registry = await start();
    const image = imageOf();
    await pushContent(registry, 'a', image);
    await pushContent(registry, 'a', imageOf(), { tags: ['other'] });
    const manifests = [{ ...image.descriptor, mediaType: 'application/vnd.example' }];
    const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
    await registry.pushManifest('a', index.bytes, index.mediaType, { tags: ['x'] });
    await collectNow(registry);
    await registry.resolveManifest('a', image.descriptor.digest);
    for (const { descriptor } of image.blobs) await registry.resolveBlob('a', descriptor.digest);
    expect(await collect(check(registry, { gracePeriod: 0 }))).toEqual([]);

    await registry.deleteTag('a', 'x');
    await collectNow(registry);
    await expect(registry.resolveManifest('a', image.descriptor.digest)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
    expect(await collect(check(registry, { gracePeriod: 0 }))).toEqual([]);
  });

  test('need the size that the index says', async () => {
    const registry = await start();
    const blob = blobOf('layer');
    const image = imageOf();
    await registry.pushBlob('a', blob.descriptor, blob.bytes);
    await pushContent(registry, 'a', image);
    for (const entry of [blob.descriptor, { ...image.descriptor, mediaType: 'foo' }]) {
      const wrong = { ...entry, size: entry.size + 1 };
      const { bytes, mediaType } = manifestOf(
        { schemaVersion: 2, manifests: [wrong] },
        { mediaType: mediaTypes.imageIndex },
      );
      await expect(registry.pushManifest('a', bytes, mediaType)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    }
  });

  test('are repaired from another registry', async () => {
    const registry = await start();
    const other = createMemoryRegistry();
    const index = buildkit();
    for (const each of [registry, other]) await pushContent(each, 'a', index, { tags: ['cache'] });
    for (const { descriptor } of index.blobs) await registry.deleteBlob('a', descriptor.digest);
    for (const finding of await collect(check(registry, { gracePeriod: 0 }))) {
      expect(await repair(registry, finding, other)).toMatchObject({ outcome: 'repaired' });
    }
    expect(await collect(check(registry, { gracePeriod: 0 }))).toEqual([]);
  });

  test('are found missing by a check', async () => {
    const registry = await start();
    const index = buildkit();
    await pushContent(registry, 'a', index, { tags: ['cache'] });
    const [lost] = index.blobs;
    if (lost === undefined) throw new Error('the index names no blob');
    const { digest, size, mediaType } = lost.descriptor;
    await registry.deleteBlob('a', digest);
    expect(maintenanceOf(registry)).toBeDefined();
    const findings = await collect(check(registry, { gracePeriod: 0 }));
    expect(findings).toEqual([
      expect.objectContaining({
        kind: 'missing',
        content: 'blob',
        digest,
        size,
        mediaType,
        neededBy: index.descriptor.digest,
      }),
    ]);
  });
});

test('a cache serves an index of blobs, and keeps it with all that is read', async () => {
  const upstream = createMemoryRegistry();
  const index = buildkit();
  await pushContent(upstream, 'a', index, { tags: ['cache'] });
  const store = createMemoryRegistry({ sparse: true });
  const cached = cache(upstream, store);
  onTestFinished(() => cached.close());
  const target = createMemoryRegistry();
  await push(target, 'a', await pull(cached, 'a', { tag: 'cache' }), { tags: ['copy'] });
  expect((await target.getTag('a', 'copy')).bytes).toEqual(index.bytes);
  await expect.poll(() => store.resolveTag('a', 'cache')).toMatchObject({ digest: index.descriptor.digest });
});

test('an index of blobs becomes the files of a layout, and is read from them', async () => {
  const registry = createMemoryRegistry();
  const index = buildkit();
  await pushContent(registry, 'a', index, { tags: ['cache'] });
  const tree = await layoutFiles([{ ref: await pull(registry, 'a', { tag: 'cache' }), tag: 'cache' }]);
  const ref = await readLayout((path) => {
    const entry = tree.get(path);
    return entry?.type === 'file' ? entry.content : undefined;
  });
  const target = createMemoryRegistry();
  await push(target, 'a', ref, { tags: ['copy'] });
  expect((await target.resolveTag('a', 'copy')).digest).toBe(index.descriptor.digest);
});

test('a member that lacks the blobs of an index gets them from another one', async () => {
  const [one, two] = [createMemoryRegistry(), createMemoryRegistry()];
  const index = buildkit();
  await pushContent(one, 'a', index);
  const both = unify([two, one]);
  await both.pushManifest('a', index.bytes, index.mediaType, { tags: ['cache'] });
  for (const { descriptor } of index.blobs) await two.resolveBlob('a', descriptor.digest);
  expect(blobOf(index.bytes).descriptor.digest).toBe((await two.resolveTag('a', 'cache')).digest);
});

test('a member that lacks a manifest to which an index gives an unknown type gets it from another one', async () => {
  const [one, two] = [createMemoryRegistry(), createMemoryRegistry()];
  const image = imageOf();
  await pushContent(one, 'a', image);
  const manifests = [{ ...image.descriptor, mediaType: 'application/vnd.example' }];
  const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
  await unify([two, one]).pushManifest('a', index.bytes, index.mediaType, { tags: ['cache'] });
  for (const each of [one, two]) await each.resolveTag('a', 'cache');
  await two.resolveManifest('a', image.descriptor.digest);
});

test('an immutable tag protects a manifest to which an index gives an unknown type, and its blobs', async () => {
  const registry = immutable(createMemoryRegistry());
  const image = imageOf();
  await pushContent(registry, 'a', image);
  const manifests = [{ ...image.descriptor, mediaType: 'application/vnd.example' }];
  const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
  await registry.pushManifest('a', index.bytes, index.mediaType, { tags: ['x'] });
  await expect(registry.deleteManifest('a', image.descriptor.digest)).rejects.toMatchObject({ code: 'DENIED' });
  for (const { descriptor } of image.blobs) {
    await expect(registry.deleteBlob('a', descriptor.digest)).rejects.toMatchObject({ code: 'DENIED' });
  }
});

test('an index of blobs that another tool wrote is served with its blobs, from one layout for all', async () => {
  const dir = await temporaryDirectory();
  const source = createMemoryRegistry();
  const index = buildkit();
  await pushContent(source, 'a', index, { tags: ['cache'] });
  const tree = await layoutFiles([{ ref: await pull(source, 'a', { tag: 'cache' }), tag: 'cache' }]);
  for (const entry of tree.walk()) {
    const path = join(dir, entry.path);
    if (entry.type === 'directory') await mkdir(path, { recursive: true });
    else await writeFile(path, readSource(entry.content));
  }
  const warnings: string[] = [];
  const registry = opened(
    openLayout(dir, { defaultRepository: 'a', durability: 'none', onWarning: (text) => warnings.push(text) }),
  );
  const target = createMemoryRegistry();
  await push(target, 'b', await pull(registry, 'a', { tag: 'cache' }), { tags: ['copy'] });
  expect((await target.getTag('b', 'copy')).bytes).toEqual(index.bytes);
  expect(await collect(check(registry, { gracePeriod: 0 }))).toEqual([]);
  expect(warnings).toEqual([]);
});

describe.each<[string, (options: { strictMediaTypes: boolean }) => Promise<Registry>]>([
  ['in memory', async (options) => createMemoryRegistry(options)],
  [
    'in a layout for each repository',
    async (options) => opened(openLayouts(await temporaryDirectory(), { durability: 'none', ...options })),
  ],
  [
    'in one layout for all',
    async (options) => opened(openLayout(await temporaryDirectory(), { durability: 'none', ...options })),
  ],
])('strictMediaTypes of a store %s', (_place, start) => {
  test.each([true, false])('refuse an index of unusual types only if set (%s)', async (strictMediaTypes) => {
    const registry = await start({ strictMediaTypes });
    await pushContent(registry, 'a', buildkit(), { tags: ['usual'] });
    const pushed = pushContent(registry, 'a', unusual(), { tags: ['unusual'] });
    if (strictMediaTypes) await expect(pushed).rejects.toMatchObject({ detail: { field: 'manifests[0].mediaType' } });
    else await pushed;
  });
});

test('strictMediaTypes of a pull refuses an index and a child of it with unusual types', async () => {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'a', unusual(), { tags: ['own'] });
  const child = imageOf({ artifactType: 'foo' });
  await pushContent(registry, 'a', indexOf([child]), { tags: ['child'] });
  const options = { strictMediaTypes: true };
  await expect(pull(registry, 'a', { tag: 'own', ...options })).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  const index = asIndex(await pull(registry, 'a', { tag: 'child', ...options }));
  await expect(index.child(child.descriptor)).rejects.toMatchObject({ detail: { field: 'artifactType' } });
  expect((await asIndex(await pull(registry, 'a', { tag: 'child' })).child(child.descriptor)).kind).toBe('image');
});

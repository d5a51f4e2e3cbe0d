import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { digestOf, mediaTypes, partialRegistry, RegistryError } from '../../model/index.ts';
import type { Digest, Registry, TransferEvent } from '../../model/index.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { corruptAnswers, imageOf, indexOf, pushContent, randomBlob } from '../../testing/node.ts';

import { contentOf, createImage, createIndex, jsonContent, pull, push, walk } from '../index.ts';
import type { Image, Ref } from '../index.ts';

import { pushTargets, startServerWithClient } from '../../../test/push-targets.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

const config = jsonContent({ os: 'linux', architecture: 'amd64', rootfs: {} }, mediaTypes.imageConfig);
const bytesOf = (size: number): Uint8Array => new Uint8Array(Buffer.from(randomBlob(size).bytes));
const layerOf = (size: number): ReturnType<typeof contentOf> => contentOf(bytesOf(size), mediaTypes.layer);

/** Reads all that a ref reaches; gives the digests of manifests. */
async function readAll(ref: Ref): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const each of walk(ref)) {
    digests.push(each.descriptor.digest);
    if (each.kind === 'index') continue;
    for (const blob of [each.config, ...each.layers]) {
      expect((await each.readVerified(blob)).length).toBe(blob.size);
    }
  }
  return digests;
}

describe.each(pushTargets)('into %s', (_name, start) => {
  test('a pushed image is pulled again', async () => {
    const registry = await start();
    const image = createImage({ config, layers: [layerOf(300_000), layerOf(0), layerOf(5_000_000)] });
    const index = createIndex([image, createIndex([createImage({ artifactType: 'a/b' }), image])]);
    const pushed = await push(registry, 'a/b', index, { tags: ['v1', 'v2'] });
    expect(pushed).toMatchObject({ descriptor: index.descriptor, tags: ['v1', 'v2'] });
    const pulled = await pull(registry, 'a/b', { tag: 'v2' });
    expect(pulled.bytes).toEqual(index.bytes);
    expect(await readAll(pulled)).toEqual(await readAll(index));
  });

  test('a second push sends nothing', async () => {
    const registry = await start();
    const image = createImage({ config, layers: [layerOf(1000)] });
    const index = createIndex([image]);
    await push(registry, 'a', index);
    const events: TransferEvent[] = [];
    await push(registry, 'a', index, { tags: ['v1'], onEvent: (event) => events.push(event) });
    const existing = events.filter(({ type }) => type === 'existing').map(({ digest }) => digest);
    expect(existing).toEqual([image.config.digest, image.layers[0]?.digest, image.descriptor.digest]);
    expect(events.filter(({ type }) => type === 'started' || type === 'bytes')).toEqual([]);
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(index.descriptor.digest);
  });

  test('a blob of another repository is mounted, not sent', async () => {
    const registry = await start();
    const shared = layerOf(1000);
    const image = createImage({ config, layers: [shared, layerOf(2000)] });
    await push(registry, 'base', createImage({ config, layers: [shared] }));
    const events: TransferEvent[] = [];
    await push(registry, 'app', image, { mountFrom: 'base', tags: ['v1'], onEvent: (event) => events.push(event) });
    const mounted = events.filter(({ type }) => type === 'mounted').map(({ digest }) => digest);
    expect(new Set(mounted)).toEqual(new Set([config.descriptor.digest, shared.descriptor.digest]));
    expect(await readAll(await pull(registry, 'app', { tag: 'v1' }))).toEqual([image.descriptor.digest]);
  });

  test('a tag is moved only if it has the expected digest', async () => {
    const registry = await start();
    const [first, second] = [createImage({ config }), createImage({ config, layers: [layerOf(10)] })];
    await push(registry, 'a', first, { tags: ['v1'], ifTag: null });
    const conflict = { code: 'PRECONDITION_FAILED' };
    await expect(push(registry, 'a', second, { tags: ['v1'], ifTag: null })).rejects.toMatchObject(conflict);
    await push(registry, 'a', second, { tags: ['v1'], ifTag: first.descriptor.digest });
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(second.descriptor.digest);
  });

  test('wrong content is refused, and nothing is tagged', async () => {
    const registry = await start();
    const right = bytesOf(100_000);
    const { descriptor } = contentOf(right, mediaTypes.layer);
    const wrong = right.map((byte) => byte ^ 1);
    const cases: readonly [() => Uint8Array, string][] = [
      [() => wrong, 'DIGEST_INVALID'],
      [() => right.subarray(1), 'SIZE_INVALID'],
      [() => new Uint8Array([...right, 1]), 'SIZE_INVALID'],
    ];
    for (const [content, code] of cases) {
      const image = createImage({ config, layers: [layerOf(10), { descriptor, content }, layerOf(10)] });
      await expect(push(registry, 'a', image, { tags: ['v1'] })).rejects.toMatchObject({ code });
      await expect(registry.resolveTag('a', 'v1')).rejects.toBeInstanceOf(RegistryError);
      await expect(registry.resolveBlob('a', descriptor.digest)).rejects.toBeInstanceOf(RegistryError);
    }
  });

  test('an aborted signal ends the push in the middle', async () => {
    const registry = await start();
    const controller = new AbortController();
    const reason = new Error('enough');
    const { descriptor, content } = layerOf(1000);
    const hanging = async function* hanging(): AsyncGenerator<Uint8Array> {
      yield content.subarray(0, 10);
      controller.abort(reason);
      await new Promise(() => undefined);
    };
    const image = createImage({ config, layers: [{ descriptor, content: hanging }] });
    await expect(push(registry, 'a', image, { tags: ['v1'], signal: controller.signal })).rejects.toBe(reason);
    await expect(registry.resolveTag('a', 'v1')).rejects.toBeInstanceOf(RegistryError);
  });

  test('blobs with URLs may be left out', async () => {
    const registry = await start();
    const { descriptor } = layerOf(1000);
    const foreign = { ...descriptor, urls: ['https://layers.example.com/1'] };
    const missing = (): never => {
      throw new RegistryError('BLOB_UNKNOWN', 'it is elsewhere');
    };
    const sparse = createMemoryRegistry({ sparse: true });
    const image = createImage({ config, layers: [{ descriptor: foreign, content: missing }] });
    await sparse.pushBlob('from', config.descriptor, config.content);
    await sparse.pushManifest('from', image.bytes, image.descriptor.mediaType, { tags: ['v1'] });
    await push(registry, 'a', await pull(sparse, 'from', { tag: 'v1' }), { tags: ['v1'] });
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(image.descriptor.digest);
    await expect(registry.resolveBlob('a', foreign.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    const here = layerOf(500);
    const both = { descriptor: { ...here.descriptor, urls: foreign.urls }, content: here.content };
    await push(registry, 'a', createImage({ config, layers: [both] }));
    expect((await registry.resolveBlob('a', here.descriptor.digest)).size).toBe(500);
  });
});

test('an image arrives completely, from any registry in any other', async () => {
  const registries = await Promise.all(pushTargets.map(async ([, start]) => start()));
  const pushed = indexOf([imageOf({ mediaType: mediaTypes.dockerManifest }), imageOf({ algorithm: 'sha512' })]);
  const [first] = registries;
  if (first === undefined) throw new Error('there is no registry');
  await pushContent(first, 'a', pushed, { tags: ['v0'] });
  for (const [i, registry] of [...registries.slice(1), ...registries].entries()) {
    const from = registries[i % registries.length];
    if (from === undefined) throw new Error('there is no registry');
    await push(registry, 'a', await pull(from, 'a', { tag: `v${i}` }), { tags: [`v${i + 1}`] });
    const pulled = await pull(registry, 'a', { tag: `v${i + 1}`, digest: pushed.descriptor.digest });
    expect(await readAll(pulled)).toHaveLength(3);
  }
});

test('an index of a layout keeps its type and its artifact type', async () => {
  const dir = await temporaryDirectory();
  const index = createIndex([createImage({ config, layers: [layerOf(10)] })]);
  const registry = openLayout(dir, { durability: 'none', defaultRepository: 'a' });
  await push(registry, 'a', index, { tags: ['v1'] });
  await registry.close();
  const { manifests } = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: object[] };
  expect(manifests).toContainEqual(expect.objectContaining(index.descriptor));
  const again = openLayout(dir, { defaultRepository: 'a' });
  onTestFinished(() => again.close());
  expect(await readAll(await pull(again, 'a', { tag: 'v1' }))).toHaveLength(2);
});

test('blobs come before the manifest that names them, and children before their parents', async () => {
  const { server, registry } = await startServerWithClient();
  const images = [layerOf(1), layerOf(2)].map((layer) => createImage({ config, layers: [layer] }));
  const index = createIndex(images);
  await push(registry, 'a', index, { tags: ['v1'], concurrency: 1 });
  const sent = server.requests.filter(({ method }) => method === 'PUT').map(({ path, query }) => path + query);
  const place = (what: string): number => sent.findIndex((each) => decodeURIComponent(each).includes(what));
  const order = images.flatMap(({ layers, descriptor }) => [...layers, descriptor].map(({ digest }) => place(digest)));
  expect(order).toEqual([1, 2, 3, 4]);
  expect([place(config.descriptor.digest), sent.length]).toEqual([0, 6]);
});

test('a blob that is the config and two layers is sent once', async () => {
  const { server, registry } = await startServerWithClient();
  await push(registry, 'a', createImage({ artifactType: 'a/b' }));
  expect(server.requests.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT', 'PUT']);
});

test.each([
  ['A', 'v1', 'NAME_INVALID'],
  ['a', '-v1', 'MANIFEST_INVALID'],
])('%s:%s is refused before anything is sent', async (repository, tag, code) => {
  const { server, registry } = await startServerWithClient();
  await expect(push(registry, repository, createImage({ config }), { tags: [tag] })).rejects.toMatchObject({ code });
  expect(server.requests).toEqual([]);
});

test('missing children end the push', async () => {
  const sparse = createMemoryRegistry({ sparse: true });
  const missing = { mediaType: mediaTypes.imageManifest, digest: digestOf(bytesOf(3)), size: 3 };
  await pushContent(sparse, 'a', indexOf([missing]), { tags: ['v1'] });
  const registry = createMemoryRegistry();
  const ref = await pull(sparse, 'a', { tag: 'v1' });
  await expect(push(registry, 'a', ref, { tags: ['v1'] })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
});

test('missing blobs end the push', async () => {
  const sparse = createMemoryRegistry({ sparse: true });
  const image = imageOf();
  await sparse.pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
  const ref = await pull(sparse, 'a', { tag: 'v1' });
  await expect(push(createMemoryRegistry(), 'a', ref)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
});

test('damage between source and registry is detected', async () => {
  const { server, registry } = await startServerWithClient();
  await server.addRef('a', 'v1', imageOf());
  const ref = await pull(registry, 'a', { tag: 'v1' });
  server.inject(corruptAnswers({ resources: ['blob'] }));
  const memory = createMemoryRegistry();
  await expect(push(memory, 'a', ref, { tags: ['v1'] })).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  await expect(memory.resolveTag('a', 'v1')).rejects.toBeInstanceOf(RegistryError);
});

test('a blob is verified once: by the store, or on its way if the registry may not verify', async () => {
  const { server, registry } = await startServerWithClient();
  await server.addRef('a', 'v1', imageOf());
  const verified = async (target: Registry): Promise<(boolean | undefined)[]> => {
    const asked: (boolean | undefined)[] = [];
    const getBlob: Registry['getBlob'] = (repository, digest, options) => {
      asked.push(options?.verify);
      return registry.getBlob(repository, digest, options);
    };
    await push(target, 'b', await pull({ ...registry, getBlob }, 'a', { tag: 'v1' }));
    return [...new Set(asked)];
  };
  const layouts = openLayouts(await temporaryDirectory(), { durability: 'none' });
  onTestFinished(() => layouts.close());
  expect(await verified(layouts)).toEqual([false]);
  expect(await verified(createMemoryRegistry())).toEqual([false]);
  expect(await verified(partialRegistry(createMemoryRegistry()))).toEqual([false]);
  expect(await verified((await startServerWithClient()).registry)).toEqual([true]);
});

describe('mounts', () => {
  const layer = layerOf(1000);
  const image: Image = createImage({ config, layers: [layer] });

  test('are requested if the caller says so, for each blob', async () => {
    const registry = createMemoryRegistry();
    await push(registry, 'base', image);
    const events: TransferEvent[] = [];
    await push(registry, 'app', image, {
      mountFrom: ({ mediaType }) => (mediaType === mediaTypes.layer ? 'base' : undefined),
      onEvent: (event) => events.push(event),
    });
    expect(events.filter(({ type }) => type === 'mounted').map(({ digest }) => digest)).toEqual([
      layer.descriptor.digest,
    ]);
  });

  test('that find nothing continue as an upload, which is cancelled if it fails', async () => {
    const memory = createMemoryRegistry();
    let sent = 0;
    const registry: Registry = {
      ...memory,
      pushBlob: () => {
        sent++;
        throw new Error('it was sent by itself');
      },
    };
    await push(registry, 'app', image, { mountFrom: 'base' });
    expect(sent).toBe(0);
    let cancelled = 0;
    const refusing: Registry = {
      ...memory,
      mountBlob: async (...args) => {
        const result = await memory.mountBlob(...args);
        if (result.upload === undefined) return result;
        const cancel = result.upload.cancel.bind(result.upload);
        result.upload.cancel = async () => {
          cancelled++;
          await cancel();
        };
        return result;
      },
    };
    const wrong = { descriptor: contentOf(bytesOf(5), mediaTypes.layer).descriptor, content: bytesOf(5) };
    const broken = createImage({ config, layers: [wrong] });
    await expect(push(refusing, 'app', broken, { mountFrom: 'base' })).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
    expect(cancelled).toBe(1);
  });

  test('from the repository itself, or in a registry without mounts, are not requested', async () => {
    const memory = createMemoryRegistry();
    const registry = partialRegistry({
      resolveBlob: memory.resolveBlob.bind(memory),
      pushBlob: memory.pushBlob.bind(memory),
      pushManifest: memory.pushManifest.bind(memory),
    });
    await push(registry, 'a', image, { mountFrom: 'b' });
    await push({ ...memory, mountBlob: () => Promise.reject(new Error('asked')) }, 'c', image, { mountFrom: 'c' });
  });

  test('that fail end the push', async () => {
    const failing = { ...createMemoryRegistry(), mountBlob: () => Promise.reject(new RegistryError('DENIED', 'no')) };
    await expect(push(failing, 'a', image, { mountFrom: 'b' })).rejects.toMatchObject({ code: 'DENIED' });
  });
});

test('a registry that cannot resolve blobs ends the push', async () => {
  const failing: Registry = {
    ...createMemoryRegistry(),
    resolveBlob: () => Promise.reject(new RegistryError('UNAVAILABLE', 'not now')),
  };
  const image = createImage({ config });
  await expect(push(failing, 'a', image)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const unsure: Registry = {
    ...createMemoryRegistry(),
    resolveManifest: () => Promise.reject(new RegistryError('UNAVAILABLE', 'not now')),
  };
  await expect(push(unsure, 'a', createIndex([image]))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a blob that the registry has with another size is stored again', async () => {
  const memory = createMemoryRegistry();
  const image = createImage({ config });
  await push(memory, 'a', image);
  const started: TransferEvent[] = [];
  const damaged: Registry = {
    ...memory,
    resolveBlob: async (...args) => ({ ...(await memory.resolveBlob(...args)), size: 1 }),
  };
  await push(damaged, 'a', image, { onEvent: (event) => void (event.type === 'started' && started.push(event)) });
  expect(started.map(({ digest }) => digest)).toEqual([config.descriptor.digest]);
});

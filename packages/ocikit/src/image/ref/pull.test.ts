import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { digestOf, identityOf, mediaTypes, partialRegistry, RegistryError } from '../../model/index.ts';
import type { CallOptions, Registry } from '../../model/index.ts';
import { openLayout } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import {
  artifactOf,
  corruptAnswers,
  cutAnswers,
  imageOf,
  indexOf,
  manifestOf,
  pushContent,
  randomBlob,
  resizeAnswers,
} from '../../testing/node.ts';
import type { TestManifest } from '../../testing/node.ts';

import { asImage, asIndex, pull } from '../index.ts';

import { startTestServer } from '../../../test/start-test-server.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

async function startLayout(): Promise<{ registry: Registry; dir: string }> {
  const dir = await temporaryDirectory();
  const registry = openLayout(dir, { durability: 'none' });
  onTestFinished(() => registry.close());
  return { registry, dir };
}

const kinds: readonly [string, () => Promise<Registry>][] = [
  ['memory', async () => createMemoryRegistry()],
  ['a layout', async () => (await startLayout()).registry],
  [
    'a server',
    async () => {
      const server = await startTestServer();
      return createClient({ host: server.host, fetch: server.fetch });
    },
  ],
];

describe.each(kinds)('from %s', (_name, start) => {
  test('an image is pulled with its config and its layers', async () => {
    const registry = await start();
    const pushed = imageOf({ layers: [randomBlob(100_000), randomBlob(0)] });
    await pushContent(registry, 'a/b', pushed, { tags: ['v1'] });
    const image = asImage(await pull(registry, 'a/b', { tag: 'v1' }));
    expect(image).toMatchObject({ kind: 'image', descriptor: pushed.descriptor, bytes: pushed.bytes });
    const found = [image.config, ...image.layers];
    expect(found).toEqual(pushed.blobs.map(({ descriptor }) => descriptor));
    for (const [i, descriptor] of found.entries()) {
      expect(await image.readVerified(descriptor)).toEqual(pushed.blobs[i]?.bytes);
      const content = await image.openBlob(descriptor);
      expect(content.descriptor).toEqual(descriptor);
      expect(await content.bytes()).toEqual(pushed.blobs[i]?.bytes);
    }
    const [layer] = image.layers;
    if (layer === undefined) throw new Error('there is no layer');
    const part = await image.openBlob(layer, { range: { start: 10, end: 20 } });
    expect(part.range).toEqual({ start: 10, end: 20 });
    expect(await part.bytes()).toEqual(pushed.blobs[1]?.bytes.subarray(10, 20));
  });

  test('an index is pulled with its children', async () => {
    const registry = await start();
    const images = [imageOf(), imageOf({ mediaType: mediaTypes.dockerManifest })];
    const pushed = indexOf([...images, indexOf(images)]);
    await pushContent(registry, 'a', pushed);
    const index = asIndex(await pull(registry, 'a', { digest: pushed.descriptor.digest }));
    const children = await Promise.all(index.manifests.map((entry) => index.child(entry)));
    expect(children.map(({ descriptor }) => descriptor)).toEqual(pushed.manifests.map(({ descriptor }) => descriptor));
    expect(children.map(({ kind }) => kind)).toEqual(['image', 'image', 'index']);
  });

  test('Docker’s lists are indexes as well', async () => {
    const registry = await start();
    const docker = { mediaType: mediaTypes.dockerManifestList };
    await pushContent(registry, 'a', indexOf([imageOf({ mediaType: mediaTypes.dockerManifest })], docker), {
      tags: ['v1'],
    });
    const index = asIndex(await pull(registry, 'a', { tag: 'v1' }));
    for (const entry of index.manifests) asImage(await index.child(entry));
  });

  test.each(['sha256', 'sha512'])(
    'with a tag and a %s digest, the digest verifies what the tag names',
    async (algorithm) => {
      const registry = await start();
      const pushed = imageOf({ algorithm });
      await pushContent(registry, 'a', pushed, { tags: ['v1'] });
      const { digest } = pushed.descriptor;
      expect((await pull(registry, 'a', { tag: 'v1', digest })).descriptor.digest).toBe(digest);
      const other = await pushContent(registry, 'a', imageOf(), { tags: ['v1'] });
      expect((await pull(registry, 'a', { tag: 'v1' })).descriptor).toEqual(other.descriptor);
      await expect(pull(registry, 'a', { tag: 'v1', digest })).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
      expect((await pull(registry, 'a', { digest })).bytes).toEqual(pushed.bytes);
    },
  );

  test('missing content is unknown', async () => {
    const registry = await start();
    await pushContent(registry, 'a', imageOf(), { tags: ['v1'] });
    await expect(pull(registry, 'a', { tag: 'v2' })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    const digest = digestOf(new Uint8Array(3));
    await expect(pull(registry, 'a', { digest })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await expect(pull(registry, 'b', { tag: 'v1' })).rejects.toBeInstanceOf(RegistryError);
  });

  test('an aborted signal ends the pull, and all later reads', async () => {
    const registry = await start();
    const pushed = indexOf([imageOf({ layers: [randomBlob(5_000_000)] })]);
    await pushContent(registry, 'a', pushed, { tags: ['v1'] });
    const reason = new Error('enough');
    await expect(pull(registry, 'a', { tag: 'v1', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const index = asIndex(await pull(registry, 'a', { tag: 'v1', signal: controller.signal }));
    const [entry] = index.manifests;
    if (entry === undefined) throw new Error('there is no entry');
    const image = asImage(await index.child(entry));
    const [layer] = image.layers;
    if (layer === undefined) throw new Error('there is no layer');
    const reading = async (): Promise<void> => {
      for await (const piece of await image.openBlob(layer)) {
        expect(piece.length).toBeGreaterThan(0);
        controller.abort(reason);
      }
    };
    // Content in memory comes in one piece, and is verified after it.
    await expect(reading()).rejects.toBe(reason);
    await expect(image.readVerified(image.config)).rejects.toBe(reason);
    await expect(image.openBlob(layer)).rejects.toBe(reason);
    await expect(index.child(entry)).rejects.toBe(reason);
  });

  test('the signal of one read ends that read only', async () => {
    const registry = await start();
    await pushContent(registry, 'a', imageOf(), { tags: ['v1'] });
    const image = asImage(await pull(registry, 'a', { tag: 'v1', signal: new AbortController().signal }));
    const reason = new Error('enough');
    await expect(image.readVerified(image.config, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect((await image.readVerified(image.config)).length).toBe(image.config.size);
  });
});

test('a pull without a tag and a digest is refused, and the error says why', async () => {
  // @ts-expect-error: neither a tag nor a digest is given.
  await expect(pull(createMemoryRegistry(), 'a', {})).rejects.toThrow(/A tag or a digest is needed/);
});

test.each(['', 'sha256:', 'sha256:abc', `md5:${'0'.repeat(32)}`, `sha256:${'A'.repeat(64)}`])(
  'a malformed digest (%s) is refused before any request',
  async (text) => {
    const asked: string[] = [];
    const registry = partialRegistry({
      getTag: async (_repository, tag) => {
        asked.push(tag);
        throw new RegistryError('MANIFEST_UNKNOWN', 'no');
      },
    });
    const digest = text as `${string}:${string}`;
    await expect(pull(registry, 'a', { tag: 'v1', digest })).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(asked).toEqual([]);
  },
);

test('the tag is requested, also if there is a digest', async () => {
  const server = await startTestServer();
  const registry = createClient({ host: server.host, fetch: server.fetch });
  const pushed = imageOf();
  await server.addRef('a', 'v1', pushed);
  await pull(registry, 'a', { tag: 'v1', digest: pushed.descriptor.digest });
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v2/a/manifests/v1']);
});

test('a manifest that is no image and no index is refused', async () => {
  const registry = createMemoryRegistry();
  const artifact = manifestOf({ artifactType: 'a/b', blobs: [] }, { mediaType: mediaTypes.artifactManifest });
  await pushContent(registry, 'a', artifact, { tags: ['v1'] });
  await expect(pull(registry, 'a', { tag: 'v1' })).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
});

test('an artifact that is an image manifest is an image', async () => {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'a', artifactOf({ artifactType: 'a/b' }), { tags: ['v1'] });
  expect(asImage(await pull(registry, 'a', { tag: 'v1' })).manifest.artifactType).toBe('a/b');
});

describe('a registry that does not verify', () => {
  const lying = (manifest: TestManifest, bytes: Uint8Array): Registry =>
    partialRegistry({
      getTag: async () => ({ descriptor: manifest.descriptor, bytes }),
      getManifest: async () => ({ descriptor: manifest.descriptor, bytes }),
    });

  test('does not make a wrong manifest valid', async () => {
    const manifest = imageOf();
    const wrong = { code: 'DIGEST_INVALID' };
    for (const bytes of [new Uint8Array(), manifest.bytes.subarray(1), new Uint8Array([...manifest.bytes, 10])]) {
      const registry = lying(manifest, bytes);
      await expect(pull(registry, 'a', { tag: 'v1' })).rejects.toMatchObject(wrong);
      await expect(pull(registry, 'a', { digest: manifest.descriptor.digest })).rejects.toMatchObject(wrong);
    }
  });

  test('cannot change afterwards what was verified', async () => {
    const manifest = imageOf();
    const bytes = Buffer.from(manifest.bytes);
    const image = await pull(lying(manifest, bytes), 'a', { tag: 'v1' });
    bytes.fill(0);
    expect(image.bytes).toEqual(manifest.bytes);
  });
});

describe('damage on the way', () => {
  const once = { backOff: { attempts: 3, first: 1 } };

  test.each([
    ['corrupt', 'DIGEST_INVALID', corruptAnswers],
    ['too long', 'SIZE_INVALID', () => resizeAnswers({ by: 1 })],
    ['too short', 'SIZE_INVALID', () => resizeAnswers({ by: -1 })],
  ])('a %s blob is detected, and is requested once', async (_what, code, fault) => {
    const server = await startTestServer();
    const registry = createClient({ host: server.host, fetch: server.fetch, ...once });
    await server.addRef('a', 'v1', imageOf());
    const image = asImage(await pull(registry, 'a', { tag: 'v1' }));
    const before = server.requests.length;
    server.inject(fault());
    await expect(image.readVerified(image.config)).rejects.toMatchObject({ code });
    expect(server.requests.length).toBe(before + 1);
  });

  test('a corrupt manifest is detected, and is requested once', async () => {
    const server = await startTestServer();
    const registry = createClient({ host: server.host, fetch: server.fetch, ...once });
    const index = indexOf([imageOf()]);
    await server.addRef('a', 'v1', index);
    const pulled = asIndex(await pull(registry, 'a', { tag: 'v1' }));
    const before = server.requests.length;
    server.inject(corruptAnswers());
    const wrong = { code: 'DIGEST_INVALID' };
    await expect(pull(registry, 'a', { tag: 'v1' })).rejects.toMatchObject(wrong);
    for (const entry of pulled.manifests) await expect(pulled.child(entry)).rejects.toMatchObject(wrong);
    expect(server.requests.length).toBe(before + 2);
  });

  test('a cut is resumed', async () => {
    const server = await startTestServer();
    const registry = createClient({ host: server.host, fetch: server.fetch, ...once });
    const pushed = imageOf({ layers: [randomBlob(300_000)] });
    await server.addRef('a', 'v1', pushed);
    server.inject(cutAnswers({ times: 1 }));
    const image = asImage(await pull(registry, 'a', { tag: 'v1' }));
    for (const layer of image.layers) expect(await image.readVerified(layer)).toEqual(pushed.blobs[1]?.bytes);
  });

  test.each([
    ['corrupt', 'DIGEST_INVALID', async (path: string) => writeFile(path, 'X', { flag: 'r+' })],
    ['truncated', 'BLOB_UNKNOWN', async (path: string) => truncate(path, 500)],
    ['extended', 'BLOB_UNKNOWN', async (path: string) => writeFile(path, 'X', { flag: 'a' })],
    ['missing', 'BLOB_UNKNOWN', async (path: string) => rm(path)],
  ])('a %s file of a layout is detected', async (_what, code, damage) => {
    const { registry, dir } = await startLayout();
    const bytes = new TextEncoder().encode('y'.repeat(1000));
    const layer = { descriptor: { mediaType: mediaTypes.layer, digest: digestOf(bytes), size: bytes.length }, bytes };
    await pushContent(registry, 'a', imageOf({ layers: [layer] }), { tags: ['v1'] });
    const image = asImage(await pull(registry, 'a', { tag: 'v1' }));
    const blobs = join(dir, 'blobs', 'sha256');
    const name = (await readdir(blobs)).find((file) => layer.descriptor.digest.endsWith(file)) ?? '';
    await damage(join(blobs, name));
    await expect(image.readVerified(layer.descriptor)).rejects.toMatchObject({ code });
    const streaming = async (): Promise<void> => {
      for await (const piece of await image.openBlob(layer.descriptor)) expect(piece.length).toBeGreaterThan(0);
    };
    await expect(streaming()).rejects.toMatchObject({ code });
  });
});

test('the options of the pull apply to later calls as well', async () => {
  const memory = createMemoryRegistry();
  await pushContent(memory, 'a', indexOf([imageOf()]), { tags: ['v1'] });
  const calls: CallOptions[] = [];
  const registry: Registry = {
    ...memory,
    getBlob: (repository, digest, options = {}) => {
      calls.push(options);
      return memory.getBlob(repository, digest, options);
    },
    getManifest: (repository, digest, options = {}) => {
      calls.push(options);
      return memory.getManifest(repository, digest, options);
    },
  };
  const call = {
    context: { identity: identityOf('somebody') },
    onEvent: () => undefined,
    signal: new AbortController().signal,
  };
  const index = asIndex(await pull(registry, 'a', { tag: 'v1', ...call }));
  const [entry] = index.manifests;
  if (entry === undefined) throw new Error('there is no entry');
  const image = asImage(await index.child(entry));
  await image.readVerified(image.config);
  const own = { identity: identityOf('another') };
  await image.readVerified(image.config, { context: own });
  // The image verifies all that is read through it, and tells the size that its manifest gives.
  const { size } = image.config;
  expect(calls).toEqual([call, { ...call, verify: false, size }, { ...call, context: own, verify: false, size }]);
});

import { describe, expect, test } from 'vitest';

import { digestOf, mediaTypes, parseManifest } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, pushContent } from '../../testing/index.ts';

import {
  asImage,
  asIndex,
  contentOf,
  createImage,
  createIndex,
  emptyContent,
  jsonContent,
  contentSource,
  pull,
  walk,
} from '../index.ts';
import type { Image, ImageContent, ReopenableContent } from '../index.ts';

const bytes = new TextEncoder().encode('some content of a layer');
const layer = contentOf(bytes, mediaTypes.layer);
const config = jsonContent({ os: 'linux', architecture: 'amd64', rootfs: {} }, mediaTypes.imageConfig);

test('an image is made of its contents, and read from them', async () => {
  const image = createImage({ config, layers: [layer, layer], annotations: { 'org.example.of': 'a test' } });
  expect(JSON.parse(new TextDecoder().decode(image.bytes))).toEqual({
    schemaVersion: 2,
    mediaType: mediaTypes.imageManifest,
    config: config.descriptor,
    layers: [layer.descriptor, layer.descriptor],
    annotations: { 'org.example.of': 'a test' },
  });
  expect(image.descriptor).toEqual({
    mediaType: mediaTypes.imageManifest,
    digest: digestOf(image.bytes),
    size: image.bytes.length,
  });
  expect(await image.readVerified(image.config)).toEqual(config.content);
  expect(await image.readVerified(layer.descriptor)).toEqual(bytes);
  const other = contentOf(new Uint8Array(1), mediaTypes.layer).descriptor;
  await expect(image.readVerified(other)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
});

test('an artifact needs a type and nothing else', async () => {
  const subject = createImage({ config }).descriptor;
  const image = createImage({ artifactType: 'application/vnd.example', subject });
  expect(image.manifest).toMatchObject({ artifactType: 'application/vnd.example', subject });
  const empty = {
    mediaType: mediaTypes.empty,
    digest: digestOf(new TextEncoder().encode('{}')),
    size: 2,
    data: 'e30=',
  };
  expect([image.config, ...image.layers]).toEqual([empty, empty]);
  expect(new TextDecoder().decode(await image.readVerified(image.config))).toBe('{}');
  expect(createImage({ artifactType: 'a/b', layers: [layer] }).layers).toEqual([layer.descriptor]);
  expect(() => createImage({ layers: [layer] })).toThrow(/needs an artifactType/);
});

test('malformed options are refused', () => {
  const broken: Descriptor = { ...layer.descriptor, size: -1 };
  expect(() => createImage({ config, layers: [{ descriptor: broken, content: bytes }] })).toThrow(/layers\[0\]\.size/);
  expect(() => createImage({ config, artifactType: 'not a type' })).toThrow(/artifactType/);
  expect(() => createIndex([], { subject: broken })).toThrow(/subject\.size/);
});

test('other algorithms and Docker’s types are possible', () => {
  const image = createImage({ config, mediaType: mediaTypes.dockerManifest, algorithm: 'sha512' });
  expect(image.descriptor).toMatchObject({
    mediaType: mediaTypes.dockerManifest,
    digest: digestOf(image.bytes, 'sha512'),
  });
  const index = createIndex([image], { mediaType: mediaTypes.dockerManifestList, algorithm: 'sha512' });
  expect(index.descriptor).toMatchObject({
    mediaType: mediaTypes.dockerManifestList,
    digest: digestOf(index.bytes, 'sha512'),
  });
  expect(parseManifest(index.bytes, mediaTypes.dockerManifestList).kind).toBe('index');
});

describe('an index', () => {
  test('describes its entries', () => {
    const [image, artifact] = [createImage({ config, layers: [layer] }), createImage({ artifactType: 'a/b' })];
    const helm = createImage({ config: jsonContent({}, 'application/vnd.cncf.helm.config.v1+json') });
    const platform = { os: 'linux', architecture: 'amd64' };
    const inner = createIndex([image], { artifactType: 'c/d' });
    const index = createIndex(
      [{ ref: image, platform, annotations: { a: 'b' } }, artifact, helm, inner, createIndex([])],
      {
        annotations: { c: 'd' },
      },
    );
    expect(index.manifest.annotations).toEqual({ c: 'd' });
    expect(index.manifests).toEqual([
      { ...image.descriptor, platform, annotations: { a: 'b' } },
      { ...artifact.descriptor, artifactType: 'a/b' },
      { ...helm.descriptor, artifactType: 'application/vnd.cncf.helm.config.v1+json' },
      { ...inner.descriptor, artifactType: 'c/d' },
      createIndex([]).descriptor,
    ]);
  });

  test('reads each child from the child’s own source', async () => {
    const registries = [createMemoryRegistry(), createMemoryRegistry()] as const;
    const pushed = [imageOf(), imageOf()] as const;
    await pushContent(registries[0], 'a', pushed[0], { tags: ['v1'] });
    await pushContent(registries[1], 'b', pushed[1], { tags: ['v1'] });
    const made = createImage({ config, layers: [layer] });
    const index = createIndex([
      await pull(registries[0], 'a', { tag: 'v1' }),
      createIndex([await pull(registries[1], 'b', { tag: 'v1' }), made]),
    ]);
    const found: Image[] = [];
    for await (const ref of walk(index)) if (ref.kind === 'image') found.push(ref);
    expect(found.map(({ descriptor }) => descriptor)).toEqual([
      pushed[0].descriptor,
      pushed[1].descriptor,
      made.descriptor,
    ]);
    for (const image of found) {
      for (const blob of [image.config, ...image.layers]) {
        expect((await image.readVerified(blob)).length).toBe(blob.size);
      }
    }
    const [entry] = index.manifests;
    if (entry === undefined) throw new Error('there is no entry');
    const child = asImage(await index.child(entry));
    await expect(child.readVerified(layer.descriptor)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(index.child(made.descriptor)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test('whose child was pulled with a signal cannot read the child after the signal is aborted', async () => {
    const registry = createMemoryRegistry();
    await pushContent(registry, 'a', imageOf(), { tags: ['v1'] });
    const controller = new AbortController();
    const index = createIndex([await pull(registry, 'a', { tag: 'v1', signal: controller.signal })]);
    const outer = createIndex([index]);
    const [inner] = outer.manifests;
    const [entry] = index.manifests;
    if (entry === undefined || inner === undefined) throw new Error('there is no entry');
    const image = asImage(await asIndex(await outer.child(inner)).child(entry));
    await image.readVerified(image.config);
    controller.abort(new Error('enough'));
    await expect(image.readVerified(image.config)).rejects.toThrow('enough');
  });
});

describe('reopenable content', () => {
  const { descriptor } = layer;
  const cut = (at: number): Uint8Array[] => [bytes.subarray(0, at), bytes.subarray(at)];
  async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }
  const imageWith = (content: ReopenableContent): Image => {
    const kept: ImageContent = { descriptor, content };
    return createImage({ config, layers: [kept] });
  };
  const forms: readonly [string, (these: Uint8Array) => ReopenableContent][] = [
    ['bytes', (these) => these],
    ['a Blob', (these) => new Blob([new Uint8Array(these)])],
    ['a function that gives bytes', (these) => () => these],
    ['a function that gives a Blob', (these) => async () => new Blob([new Uint8Array(these)])],
    ['a function that gives an iterable', (these) => () => iterate([these.subarray(0, 5), these.subarray(5)])],
    ['a function that gives a stream', (these) => () => new Blob([new Uint8Array(these)]).stream()],
  ];

  test.each(forms)('may be %s, and is read several times, whole and in parts', async (_what, form) => {
    const image = imageWith(form(bytes));
    for (let times = 0; times < 2; times++) expect(await image.readVerified(descriptor)).toEqual(bytes);
    for (const [start, end] of [
      [0, 5],
      [3, 8],
      [5, 23],
      [7, 7],
      [23, 23],
      [4, 99],
    ] as const) {
      const part = await image.openBlob(descriptor, { range: { start, end } });
      expect(await part.bytes()).toEqual(bytes.subarray(start, end));
    }
  });

  test.each(forms)('as %s is compared with its descriptor', async (_what, form) => {
    const wrong: readonly [Uint8Array, string][] = [
      [bytes.map((byte) => byte ^ 1), 'DIGEST_INVALID'],
      [bytes.subarray(1), 'SIZE_INVALID'],
      [new Uint8Array([...bytes, 1]), 'SIZE_INVALID'],
    ];
    for (const [these, code] of wrong) {
      await expect(imageWith(form(these)).readVerified(descriptor)).rejects.toMatchObject({ code });
    }
  });

  test('is opened only when it is read, and no further than needed', async () => {
    const taken: Uint8Array[] = [];
    let opened = 0;
    const image = imageWith(async function* content() {
      opened++;
      for (const piece of cut(10)) {
        taken.push(piece);
        yield piece;
      }
    } as () => AsyncGenerator<Uint8Array>);
    const content = await image.openBlob(descriptor, { range: { start: 2, end: 6 } });
    expect(opened).toBe(0);
    expect(await content.bytes()).toEqual(bytes.subarray(2, 6));
    expect([opened, taken]).toEqual([1, [bytes.subarray(0, 10)]]);
  });

  test('fails as its opening does', async () => {
    const failing = async (): Promise<Uint8Array> => {
      throw new Error('the disk is gone');
    };
    await expect(imageWith(failing).readVerified(descriptor)).rejects.toThrow('the disk is gone');
  });

  test('has annotations and inline data if the options say so', () => {
    const { descriptor: empty } = emptyContent({ annotations: { a: 'b' }, inline: false, algorithm: 'sha512' });
    const digest = digestOf(new TextEncoder().encode('{}'), 'sha512');
    expect(empty).toEqual({ mediaType: mediaTypes.empty, digest, size: 2, annotations: { a: 'b' } });
  });

  test('knows no manifests', async () => {
    const source = contentSource([layer]);
    await expect(source.getManifest(descriptor, {})).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });
});

import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { collect, digestOf, mediaTypes, readSource } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, indexOf, pushContent } from '../../testing/index.ts';

import {
  asImage,
  asIndex,
  contentOf,
  createImage,
  createIndex,
  jsonContent,
  layoutFiles,
  pull,
  readLayout,
  readLayoutIndex,
  walk,
} from '../index.ts';
import type { FileTree, ReopenableContent, LayoutFile, Ref } from '../index.ts';

import { temporaryDirectory } from '../../../test/temporary-directory.ts';

/** Writes a tree to a directory. */
async function write(tree: FileTree, dir: string): Promise<void> {
  for (const entry of tree.walk()) {
    const path = join(dir, entry.path);
    if (entry.type === 'directory') await mkdir(path, { recursive: true });
    else await writeFile(path, readSource(entry.content), { mode: entry.mode });
  }
}

const config = jsonContent({ os: 'linux', architecture: 'amd64', rootfs: {} }, mediaTypes.imageConfig);
const layer = contentOf(new TextEncoder().encode('a layer'), mediaTypes.layer);
const image = createImage({ config, layers: [layer, layer] });

const filesOf =
  (tree: FileTree): LayoutFile =>
  (path) => {
    const entry = tree.get(path);
    return entry?.type === 'file' ? entry.content : undefined;
  };

async function textOf(tree: FileTree, path: string): Promise<string> {
  const entry = tree.get(path);
  if (entry?.type !== 'file') throw new Error(`${path} is no file`);
  return Buffer.concat(await collect(readSource(entry.content))).toString();
}

/** The bytes of all that a ref reaches. */
async function contentOfAll(ref: Ref): Promise<Record<string, Uint8Array>> {
  const all: Record<string, Uint8Array> = {};
  for await (const each of walk(ref)) {
    all[each.descriptor.digest] = each.bytes;
    if (each.kind === 'index') continue;
    for (const blob of [each.config, ...each.layers]) all[blob.digest] = await each.readVerified(blob);
  }
  return all;
}

describe('a layout as files', () => {
  test('has each content once', async () => {
    const tree = await layoutFiles([{ ref: image, tag: 'v1' }, { ref: createIndex([image]) }]);
    const blobs = [config.descriptor, layer.descriptor, image.descriptor, createIndex([image]).descriptor];
    expect([...tree.walk()].map(({ path }) => path)).toEqual([
      'oci-layout',
      'index.json',
      'blobs',
      'blobs/sha256',
      ...blobs.map(({ digest }) => `blobs/${digest.replace(':', '/')}`),
    ]);
    for (const { digest, size } of blobs) expect(tree.get(`blobs/${digest.replace(':', '/')}`)).toMatchObject({ size });
    expect(await textOf(tree, 'oci-layout')).toBe('{"imageLayoutVersion":"1.0.0"}\n');
  });

  test('describes each entry in its index', async () => {
    const artifact = createImage({ artifactType: 'a/b' });
    const platform = { os: 'linux', architecture: 'amd64' };
    const index = createIndex([image]);
    const tree = await layoutFiles([
      { ref: image, tag: 'v1', platform, annotations: { a: 'b' } },
      { ref: index, tag: 'v2' },
      { ref: artifact },
    ]);
    const text = await textOf(tree, 'index.json');
    expect(text).toMatch(/^\{\n\t"schemaVersion": 2,\n[^]*\n\}\n$/);
    expect(JSON.parse(text)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.imageIndex,
      manifests: [
        {
          ...image.descriptor,
          platform,
          annotations: { a: 'b', 'org.opencontainers.image.ref.name': 'v1' },
        },
        { ...index.descriptor, annotations: { 'org.opencontainers.image.ref.name': 'v2' } },
        { ...artifact.descriptor, artifactType: 'a/b' },
      ],
    });
  });

  test('opens a blob when it is read, and verifies it', async () => {
    let content: Uint8Array = layer.content;
    let opened = 0;
    const open = (): Uint8Array => {
      opened++;
      return content;
    };
    const lazy = createImage({ config, layers: [{ descriptor: layer.descriptor, content: open }] });
    const tree = await layoutFiles([{ ref: lazy }]);
    const path = `blobs/${layer.descriptor.digest.replace(':', '/')}`;
    expect(opened).toBe(0);
    expect(await textOf(tree, path)).toBe('a layer');
    content = new TextEncoder().encode('A LAYER');
    await expect(textOf(tree, path)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    content = content.subarray(1);
    await expect(textOf(tree, path)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(opened).toBe(3);
  });

  test('leaves out layers that may not be distributed, but not other content with URLs', async () => {
    const urls = ['https://layers.example.com/1'];
    const types = ['application/vnd.oci.image.layer.nondistributable.v1.tar', mediaTypes.layer];
    const layers = types.map((mediaType, i) => {
      const { descriptor, content } = contentOf(new Uint8Array([i]), mediaType);
      return { descriptor: { ...descriptor, urls }, content };
    });
    const tree = await layoutFiles([{ ref: createImage({ config, layers }) }]);
    const found = layers.map(({ descriptor }) => tree.get(`blobs/${descriptor.digest.replace(':', '/')}`)?.type);
    expect(found).toEqual([undefined, 'file']);
  });

  test('is refused with a malformed tag or a missing child', async () => {
    await expect(layoutFiles([{ ref: image, tag: '-' }])).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    const sparse = createMemoryRegistry({ sparse: true });
    const missing = { mediaType: mediaTypes.imageManifest, digest: digestOf(new Uint8Array(3)), size: 3 };
    await pushContent(sparse, 'a', indexOf([missing]), { tags: ['v1'] });
    const ref = await pull(sparse, 'a', { tag: 'v1' });
    await expect(layoutFiles([{ ref }])).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test('ends with its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(layoutFiles([{ ref: image }], { signal })).rejects.toThrow('enough');
  });

  test('is the same when it is read again', async () => {
    const index = createIndex([image, createImage({ artifactType: 'a/b', algorithm: 'sha512' })]);
    const tree = await layoutFiles([{ ref: index, tag: 'v1' }]);
    const read = await readLayout(filesOf(tree));
    expect(read.bytes).toEqual(index.bytes);
    expect(await contentOfAll(read)).toEqual(await contentOfAll(index));
  });
});

describe('a layout in a directory', () => {
  test('is a registry', async () => {
    const dir = await temporaryDirectory();
    const index = createIndex([image]);
    await write(await layoutFiles([{ ref: index, tag: 'v1' }]), dir);
    const registry = openLayout(dir, { defaultRepository: 'a' });
    onTestFinished(() => registry.close());
    const pulled = await pull(registry, 'a', { tag: 'v1' });
    expect(await contentOfAll(pulled)).toEqual(await contentOfAll(index));
  });

  test('is read with its files as streams', async () => {
    const dir = await temporaryDirectory();
    await write(await layoutFiles([{ ref: image }]), dir);
    const read = asImage(await readLayout((path) => () => createReadStream(join(dir, path))));
    expect(await contentOfAll(read)).toEqual(await contentOfAll(image));
    await rm(join(dir, 'blobs', layer.descriptor.digest.replace(':', '/')));
    await expect(read.readVerified(layer.descriptor)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readLayout((path) => () => createReadStream(join(dir, 'nowhere', path)))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

describe('reading a layout', () => {
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const marker = text({ imageLayoutVersion: '1.0.0' });
  const files =
    (found: Readonly<Record<string, ReopenableContent>>): LayoutFile =>
    (path) =>
      found[path];
  const indexed = (...manifests: readonly Descriptor[]): Uint8Array => text({ schemaVersion: 2, manifests });
  const pathOf = ({ digest }: Descriptor): string => `blobs/${digest.replace(':', '/')}`;
  const stored = { 'oci-layout': marker, [pathOf(image.descriptor)]: image.bytes };
  const named = (name: string): Descriptor => ({
    ...image.descriptor,
    annotations: { 'org.opencontainers.image.ref.name': name },
  });

  test('gives the only entry, or the one of a tag', async () => {
    const other = { ...named('v2'), digest: digestOf(new Uint8Array()) };
    const one = files({ ...stored, 'index.json': indexed(image.descriptor) });
    expect((await readLayout(one)).bytes).toEqual(image.bytes);
    const two = files({ ...stored, 'index.json': indexed(named('v1'), other) });
    expect((await readLayout(two, { tag: 'v1' })).bytes).toEqual(image.bytes);
    await expect(readLayout(two)).rejects.toThrow(/has 2 entries, of which one has to be chosen/);
    await expect(readLayout(two, { tag: 'v3' })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await expect(readLayout(files({ ...stored, 'index.json': indexed() }))).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
    const same = files({ ...stored, 'index.json': indexed(named('v1'), named('v2')) });
    expect((await readLayout(same)).bytes).toEqual(image.bytes);
  });

  describe('with names of other tools', () => {
    const entry = (name: string | undefined, containerd?: string, digest = image.descriptor.digest): Descriptor => ({
      ...image.descriptor,
      digest,
      annotations: {
        ...(name === undefined ? {} : { 'org.opencontainers.image.ref.name': name }),
        ...(containerd === undefined ? {} : { 'io.containerd.image.name': containerd }),
      },
    });
    const other = digestOf(new Uint8Array(1));

    test.each<[string, string, ...Descriptor[]]>([
      ['a tag in a whole name', '1.0.0', entry('foo/bar:1.0.0'), entry('foo/bar:2', undefined, other)],
      ['a whole name', 'foo/bar:1.0.0', entry('foo/bar:1.0.0'), entry('1.0.0', undefined, other)],
      ['an exact name before a tag in one', '1.0.0', entry('x/y:1.0.0', undefined, other), entry('1.0.0')],
      [
        "containerd's name",
        'docker.io/library/alpine:3',
        entry('3', 'docker.io/library/alpine:3'),
        entry('3', 'x/y:3', other),
      ],
      [
        "the tag in containerd's name",
        '3',
        entry(undefined, 'docker.io/library/alpine:3'),
        entry('4', undefined, other),
      ],
      ["ref.name before containerd's", '3', entry('3', 'a/b:9'), entry('9', 'a/b:3', other)],
      ['an exact name before a tag in a later one', '1.0.0', entry('1.0.0'), entry('x/y:1.0.0', undefined, other)],
      ['the tag of a name with a digest', '1.0', entry(`1.0@${other}`), entry('x', undefined, other)],
      ['the last of several entries with one name', 'v1', entry('v1', undefined, other), entry('v1')],
      ['the last of several entries with one whole name', '1', entry('x/y:1', undefined, other), entry('x/y:1')],
      ['a name that is no reference', 'My Image', entry('My Image'), entry('x', undefined, other)],
    ])('finds %s', async (_what, tag, ...entries) => {
      const found = files({ ...stored, 'index.json': indexed(...entries) });
      expect((await readLayout(found, { tag })).descriptor.digest).toBe(image.descriptor.digest);
    });

    test('is the same as in a registry over the directory', async () => {
      const dir = await temporaryDirectory();
      await mkdir(join(dir, 'app'));
      await write(await layoutFiles([{ ref: image }]), join(dir, 'app'));
      const missing = { ...image.descriptor, digest: other };
      const missingNamed = (name: string): Descriptor => ({
        ...missing,
        annotations: { 'org.opencontainers.image.ref.name': name },
      });
      const entries = [
        entry('foo/bar:1.0.0'),
        entry(undefined, 'docker.io/library/alpine:3'),
        entry('2'),
        missingNamed('x/y:2'),
        { ...missing, annotations: { 'io.containerd.image.name': 'x/y:1.0.0' } },
      ];
      await writeFile(join(dir, 'app', 'index.json'), indexed(...entries));
      const registry = openLayouts(dir);
      onTestFinished(() => registry.close());
      expect(await collect(registry.tags('app'))).toEqual(['1.0.0', '2', '3']);
      for (const tag of ['1.0.0', '2', '3']) {
        const read = await readLayout((path) => () => createReadStream(join(dir, 'app', path)), { tag });
        expect(read.descriptor).toEqual(await registry.resolveTag('app', tag));
      }
    });

    test('lists what is there when none or several match', async () => {
      const found = files({
        ...stored,
        'index.json': indexed(
          entry('v1'),
          entry('3', 'docker.io/library/alpine:3'),
          entry('3', 'x/y:3', other),
          entry(''),
        ),
      });
      await expect(readLayout(found, { tag: 'v2' })).rejects.toMatchObject({
        code: 'MANIFEST_UNKNOWN',
        message: `the layout has no image "v2": it has v1, docker.io/library/alpine:3, x/y:3, ${image.descriptor.digest}`,
      });
      await expect(readLayout(found, { tag: '3' })).rejects.toThrow(
        /by a tag or name that only it has: docker.io\S+, x\/y:3$/,
      );
      const none = files({ ...stored, 'index.json': indexed() });
      await expect(readLayout(none)).rejects.toThrow('the layout has no image: it has no entries');
    });
  });

  test('gives all entries as an index, of any number', async () => {
    const two = files({ ...stored, 'index.json': indexed(named('v1'), { ...named('v2'), mediaType: 'a/b' }) });
    const index = await readLayoutIndex(two);
    expect(index.manifests.map(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'])).toEqual([
      'v1',
      'v2',
    ]);
    expect((await readLayoutIndex(files({ ...stored, 'index.json': indexed() }))).manifests).toEqual([]);
  });

  test.each<[string, Readonly<Record<string, ReopenableContent>>, string]>([
    ['no marker', { 'index.json': indexed() }, 'UNSUPPORTED'],
    [
      'another version',
      { 'oci-layout': text({ imageLayoutVersion: '2.0.0' }), 'index.json': indexed() },
      'UNSUPPORTED',
    ],
    ['a marker without a version', { 'oci-layout': text({}), 'index.json': indexed() }, 'UNSUPPORTED'],
    ['a marker that is no JSON', { 'oci-layout': new Uint8Array(3), 'index.json': indexed() }, 'UNSUPPORTED'],
    ['no index', { 'oci-layout': marker }, 'MANIFEST_INVALID'],
    ['an index that is no JSON', { 'oci-layout': marker, 'index.json': new Uint8Array(3) }, 'MANIFEST_INVALID'],
    ['an index that is an image', { 'oci-layout': marker, 'index.json': image.bytes }, 'MANIFEST_INVALID'],
    [
      'an index of a digest that leads elsewhere',
      { 'oci-layout': marker, 'index.json': indexed({ ...image.descriptor, digest: 'sha256:../../passwd' }) },
      'MANIFEST_INVALID',
    ],
    [
      'a manifest that is not there',
      { 'oci-layout': marker, 'index.json': indexed(image.descriptor) },
      'MANIFEST_UNKNOWN',
    ],
    [
      'a manifest of other bytes',
      {
        ...stored,
        [pathOf(image.descriptor)]: image.bytes.map((byte) => byte ^ 1),
        'index.json': indexed(image.descriptor),
      },
      'DIGEST_INVALID',
    ],
    [
      'a manifest of another size',
      { ...stored, [pathOf(image.descriptor)]: image.bytes.subarray(1), 'index.json': indexed(image.descriptor) },
      'SIZE_INVALID',
    ],
    [
      'an entry that is neither an image nor an index',
      { ...stored, 'index.json': indexed({ ...image.descriptor, mediaType: 'a/b' }) },
      'UNSUPPORTED_MEDIA_TYPE',
    ],
  ])('with %s is refused', async (_what, found, code) => {
    await expect(readLayout(files(found))).rejects.toMatchObject({ code });
  });

  test('with an endless index is refused', async () => {
    const endless = async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(1024 * 1024);
    };
    const found = files({ 'oci-layout': marker, 'index.json': endless });
    await expect(readLayout(found)).rejects.toMatchObject({ code: 'CONTENT_TOO_LARGE' });
  });

  test('with a missing blob rejects with BLOB_UNKNOWN', async () => {
    const read = asImage(await readLayout(files({ ...stored, 'index.json': indexed(image.descriptor) })));
    await expect(read.readVerified(layer.descriptor)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('ends with its signal, also in later reads', async () => {
    const reason = new Error('enough');
    const found = files({
      ...stored,
      'index.json': indexed(image.descriptor),
      [pathOf(layer.descriptor)]: layer.content,
    });
    await expect(readLayout(found, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const read = asImage(await readLayout(found, { signal: controller.signal }));
    expect(await read.readVerified(layer.descriptor)).toEqual(layer.content);
    controller.abort(reason);
    await expect(read.readVerified(layer.descriptor)).rejects.toBe(reason);
  });

  test('of other tools, whose index names no media type, works too', async () => {
    const pushed = imageOf();
    const index = asIndex(
      await readLayoutIndex(files({ 'oci-layout': marker, 'index.json': indexed(pushed.descriptor) })),
    );
    expect(index.manifests).toEqual([pushed.descriptor]);
  });
});

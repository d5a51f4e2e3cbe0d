import { describe, expect, test } from 'vitest';

import { collect, digestOf, linksOf, mediaTypes, parseManifest } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

import {
  artifactOf,
  blobOf,
  emptyJson,
  imageOf,
  indexOf,
  pushContent,
  pushImage,
  randomBlob,
  randomName,
} from '../index.ts';
import type { TestManifest } from '../index.ts';

const parsed = ({ bytes, mediaType }: TestManifest): ReturnType<typeof parseManifest> =>
  parseManifest(bytes, mediaType);

describe('a blob', () => {
  test('has the digest and size of its bytes', () => {
    const { descriptor, bytes } = blobOf('häll', { mediaType: 'text/plain', algorithm: 'sha512' });
    expect(descriptor).toEqual({ mediaType: 'text/plain', digest: digestOf(bytes, 'sha512'), size: 5 });
  });

  test('of random bytes differs from the others, up to its end', () => {
    const [a, b] = [randomBlob(100_000), randomBlob(100_000)];
    expect(a.descriptor.digest).not.toBe(b.descriptor.digest);
    expect(a.bytes).toHaveLength(100_000);
    // Its end is as random as its start.
    expect(a.bytes.subarray(-100).every((byte) => byte === 0)).toBe(false);
  });

  test('made by emptyJson is {}', () => {
    expect(emptyJson().descriptor).toEqual({
      mediaType: mediaTypes.empty,
      digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
      size: 2,
    });
  });
});

describe('a manifest', () => {
  test('names the blobs to push before it', () => {
    const image = imageOf({ layers: [randomBlob(10), randomBlob(20)] });
    const { blobs } = linksOf(parsed(image));
    expect(blobs).toEqual(image.blobs.map(({ descriptor }) => descriptor));
    expect(blobs).toHaveLength(3);
  });

  test('names a descriptor alone, which is not pushed', () => {
    const layer = { ...randomBlob().descriptor, urls: ['https://example.com/layer'] };
    const image = imageOf({ layers: [layer] });
    expect(linksOf(parsed(image)).blobs).toContainEqual(layer);
    expect(image.blobs).toHaveLength(1);
  });

  test('of an index names the platforms of its images', () => {
    const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
    const image = imageOf({ platform });
    expect(linksOf(parsed(indexOf([image]))).manifests).toEqual([{ ...image.descriptor, platform }]);
  });

  test('of an artifact has an empty config and a type', () => {
    const artifact = artifactOf({ artifactType: 'application/vnd.example.a' });
    expect(parsed(artifact).manifest).toMatchObject({
      artifactType: 'application/vnd.example.a',
      config: emptyJson().descriptor,
    });
  });

  test('has the given fields, and lacks those that are undefined', () => {
    const { manifest } = parsed(imageOf({ fields: { mediaType: undefined, custom: 1 } }));
    expect(manifest).not.toHaveProperty('mediaType');
    expect(manifest).toHaveProperty('custom', 1);
  });

  test('of Docker has content with the types of Docker', () => {
    const image = imageOf({ mediaType: mediaTypes.dockerManifest });
    expect(image.blobs.map(({ descriptor }) => descriptor.mediaType)).toEqual([
      mediaTypes.dockerConfig,
      mediaTypes.dockerLayer,
    ]);
  });

  test('has a digest of its own each time', () => {
    expect(imageOf().descriptor.digest).not.toBe(imageOf().descriptor.digest);
    expect(randomName()).toMatch(/^[a-z0-5]{12}$/);
  });
});

describe('pushing content', () => {
  test('stores an index with everything below it', async () => {
    const registry = createMemoryRegistry();
    const image = imageOf();
    const index = indexOf([indexOf([image])]);
    const pushed = await pushContent(registry, 'a', index, { tags: ['v1', 'v2'] });
    expect(pushed.tags).toEqual(['v1', 'v2']);
    expect((await registry.getManifest('a', image.descriptor.digest)).bytes).toEqual(image.bytes);
    expect(await collect(registry.tags('a'))).toEqual(['v1', 'v2']);
  });

  test('returns the image that pushImage has made', async () => {
    const registry = createMemoryRegistry();
    const image = await pushImage(registry, 'a', { tags: ['v1'], annotations: { a: 'b' } });
    expect(await registry.resolveTag('a', 'v1')).toEqual(image.descriptor);
    expect(parsed(image).manifest.annotations).toEqual({ a: 'b' });
  });
});

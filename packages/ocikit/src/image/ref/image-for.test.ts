import { describe, expect, test } from 'vitest';

import { digestOf, mediaTypes, parsePlatform, RegistryError } from '../../model/index.ts';
import type { Descriptor, Digest, Platform } from '../../model/index.ts';

import { createImage, createIndex, createRef, hostPlatforms, imageFor, jsonContent, contentSource } from '../index.ts';
import type { Image, ImageSource, Index, IndexEntry, Ref } from '../index.ts';

const imageOn = (name: string): Image => {
  const config = { ...parsePlatform(name), rootfs: { type: 'layers', diff_ids: [] } };
  return createImage({ config: jsonContent(config, mediaTypes.imageConfig) });
};
const entryOn = (name: string): IndexEntry => ({ ref: imageOn(name), platform: parsePlatform(name) });
const find = async (ref: Ref, ...platforms: readonly string[]): Promise<Digest> =>
  (await imageFor(ref, { platforms: platforms.map(parsePlatform) })).descriptor.digest;
const digestOn = (name: string): Digest => imageOn(name).descriptor.digest;

test('an image is the result itself', async () => {
  expect(await find(imageOn('linux/arm64'), 'windows/amd64')).toBe(digestOn('linux/arm64'));
});

test.each([['linux/amd64'], [['linux/amd64']], [[]], [[null]], [{}], [null]])(
  '%j is no choice of platforms',
  async (wrong) => {
    const platforms = wrong as unknown as Platform[];
    for (const ref of [imageOn('linux/amd64'), createIndex([entryOn('linux/amd64')])]) {
      const error = expect(imageFor(ref, { platforms })).rejects;
      await error.toMatchObject({ code: 'UNSUPPORTED' });
      await error.toThrow(`platforms is ${JSON.stringify(wrong)}: use a list of platforms such as parsePlatform`);
    }
  },
);

test('the image of an index is the entry that runs on the platform', async () => {
  const index = createIndex(['linux/amd64', 'linux/arm64', 'linux/arm/v6'].map(entryOn));
  expect(await find(index, 'linux/arm64')).toBe(digestOn('linux/arm64'));
  expect(await find(index, 'linux/arm/v7')).toBe(digestOn('linux/arm/v6'));
  expect(await find(index, 'darwin/arm64', 'linux/arm64')).toBe(digestOn('linux/arm64'));
});

test('the default platform is the machine that runs the test', async () => {
  const [mine] = hostPlatforms();
  if (mine === undefined) throw new Error('there is no platform');
  const index = createIndex([entryOn('plan9/386'), { ref: imageOn('linux/386'), platform: mine }]);
  expect((await imageFor(index)).descriptor.digest).toBe(digestOn('linux/386'));
});

test('the image may be in a nested index', async () => {
  const inner = createIndex([entryOn('linux/amd64'), entryOn('linux/arm64')]);
  expect(await find(createIndex([entryOn('plan9/386'), inner]), 'linux/arm64')).toBe(digestOn('linux/arm64'));
  const described = createIndex([{ ref: inner, platform: parsePlatform('linux/arm64') }]);
  expect(await find(described, 'linux/arm64')).toBe(digestOn('linux/arm64'));
});

test('the configs are read if no entry names the platform', async () => {
  const index = createIndex([imageOn('linux/amd64'), createImage({ artifactType: 'a/b' }), imageOn('linux/arm64')]);
  expect(await find(index, 'linux/arm64')).toBe(digestOn('linux/arm64'));
  // The platform in the entry is believed, and no config is read.
  const said = createIndex([
    imageOn('linux/arm64'),
    { ref: imageOn('linux/386'), platform: parsePlatform('linux/arm64') },
  ]);
  expect(await find(said, 'linux/arm64')).toBe(digestOn('linux/386'));
});

test('attestations are never the image', async () => {
  const attestation = { ref: imageOn('linux/amd64'), platform: { os: 'unknown', architecture: 'unknown' } };
  const index = createIndex([attestation, entryOn('linux/arm64')]);
  expect(await find(index, 'linux/arm64')).toBe(digestOn('linux/arm64'));
  await expect(find(index, 'linux/amd64')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
});

test('the error for a missing platform names the wanted platforms and those that there are', async () => {
  const index = createIndex([...['linux/amd64', 'windows/amd64:10.0.1.2'].map(entryOn), imageOn('linux/386')]);
  await expect(find(index, 'darwin/arm64', 'linux/arm64')).rejects.toThrow(
    /no image for darwin\/arm64 or linux\/arm64: there is linux\/amd64, windows\/amd64:10\.0\.1\.2$/,
  );
  await expect(find(createIndex([]), 'linux/arm64')).rejects.toThrow(/there is none that names a platform/);
  const many = createIndex(Array.from({ length: 50 }, (_, i) => entryOn(`os${i}/x`)));
  await expect(find(many, 'linux/arm64')).rejects.toThrow(/os19\/x …$/);
});

describe('an endless index', () => {
  const platform: Platform = { os: 'linux', architecture: 'arm64' };

  /** Every manifest in it is an index of two others that did not occur before. */
  function endless(more: Partial<Descriptor>): { index: Index; fetched: () => number } {
    let fetched = 0;
    const manifests = new Map<Digest, Uint8Array>();
    const make = (depth: number, name: string): Descriptor => {
      const children = depth === 0 ? [] : [0, 1].map((i) => Object.assign(make(depth - 1, `${name}${i}`), more));
      const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: children, name }));
      const digest = digestOf(bytes);
      manifests.set(digest, bytes);
      return { mediaType: mediaTypes.imageIndex, digest, size: bytes.length };
    };
    const root = make(9, '');
    const source: ImageSource = {
      ...contentSource([]),
      getManifest: async (descriptor) => {
        fetched++;
        return { descriptor, bytes: manifests.get(descriptor.digest) ?? new Uint8Array() };
      },
    };
    const bytes = manifests.get(root.digest) ?? new Uint8Array();
    const index = createRef({ bytes, mediaType: mediaTypes.imageIndex, source }) as Index;
    return { index, fetched: () => fetched };
  }

  test.each([
    ['with platforms', { platform }],
    ['without platforms', {}],
  ])('%s is refused', async (_what, more) => {
    const { index, fetched } = endless(more);
    await expect(imageFor(index, { platforms: [platform] })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(fetched()).toBe(100);
  });
});

test('a manifest that was fetched for one platform is not fetched again for the next', async () => {
  const asked: Digest[] = [];
  const images = ['linux/amd64', 'linux/386'].map(imageOn);
  const built = createIndex(images);
  const source: ImageSource = {
    openBlob: (descriptor, options) => {
      asked.push(descriptor.digest);
      const image = images.find(({ config }) => config.digest === descriptor.digest) ?? imageOn('plan9/386');
      return image.source.openBlob(descriptor, options);
    },
    getManifest: async ({ digest }) => {
      asked.push(digest);
      const { descriptor, bytes } = images.find((image) => image.descriptor.digest === digest) ?? imageOn('plan9/386');
      return { descriptor, bytes };
    },
  };
  const ref = createRef({ bytes: built.bytes, mediaType: mediaTypes.imageIndex, source });
  await expect(find(ref, 'darwin/arm64', 'linux/arm64')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  expect(asked).toEqual(images.flatMap(({ descriptor, config }) => [descriptor.digest, config.digest]));
});

test('the signal ends the search', async () => {
  const reason = new Error('enough');
  const index = createIndex([entryOn('linux/arm64')]);
  const options = { platforms: [parsePlatform('linux/arm64')], signal: AbortSignal.abort(reason) };
  await expect(imageFor(index, options)).rejects.toBe(reason);
});

describe('an entry that cannot be read', () => {
  const images = ['linux/arm/v7', 'linux/arm/v6', 'linux/amd64'].map(imageOn);
  const [best, second] = images;

  /** The index of these images, from a source that fails for one of them. */
  function failingAt(failing: Digest, error: Error, entries: readonly (Image | IndexEntry)[]): Ref {
    const built = createIndex(entries);
    const source: ImageSource = {
      openBlob: async (blob, options) => {
        if (blob.digest === failing) throw error;
        const image = images.find(({ config }) => config.digest === blob.digest);
        if (image === undefined) throw new RegistryError('BLOB_UNKNOWN', 'no such config');
        return image.source.openBlob(blob, options);
      },
      getManifest: async ({ digest }) => {
        const image = images.find(({ descriptor }) => descriptor.digest === digest);
        if (digest === failing || image === undefined) throw error;
        return { descriptor: image.descriptor, bytes: image.bytes };
      },
    };
    return createRef({ bytes: built.bytes, mediaType: mediaTypes.imageIndex, source });
  }
  const described = ['linux/arm/v7', 'linux/arm/v6'].map(entryOn);

  test.each(['MANIFEST_UNKNOWN', 'DIGEST_INVALID', 'MANIFEST_INVALID', 'CONTENT_TOO_LARGE'] as const)(
    'for %s is left out, and the next best is the image',
    async (code) => {
      const ref = failingAt(best?.descriptor.digest ?? 'sha256:0', new RegistryError(code, 'broken'), described);
      expect(await find(ref, 'linux/arm/v7')).toBe(second?.descriptor.digest);
    },
  );

  test('is left out too if its config is missing', async () => {
    const error = new RegistryError('BLOB_UNKNOWN', 'gone');
    const ref = failingAt(imageOn('linux/amd64').config.digest, error, [
      imageOn('linux/amd64'),
      imageOn('linux/arm/v6'),
    ]);
    expect(await find(ref, 'linux/arm/v7')).toBe(second?.descriptor.digest);
  });

  test('is named if there is no other, with its own code', async () => {
    const error = new RegistryError('MANIFEST_UNKNOWN', 'the layout has no such manifest');
    const digest = best?.descriptor.digest ?? 'sha256:0';
    const rejects = expect(find(failingAt(digest, error, [entryOn('linux/arm/v7')]), 'linux/arm/v7')).rejects;
    await rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN', cause: error });
    await rejects.toThrow(new RegExp(`${digest} could not be read: the layout has no such manifest`));
  });

  test.each([
    new RegistryError('UNAUTHORIZED', 'who are you'),
    new RegistryError('UNAVAILABLE', 'down'),
    new Error('x'),
  ])('because of %s ends the search: the next one is not what was wanted', async (error) => {
    const ref = failingAt(best?.descriptor.digest ?? 'sha256:0', error, described);
    await expect(find(ref, 'linux/arm/v7')).rejects.toBe(error);
  });
});

import { describe, expect, test } from 'vitest';

import { createContent, digestOf, mediaTypes, RegistryError } from '../../model/index.ts';
import type { BlobContent, Descriptor, Manifest } from '../../model/index.ts';
import { blobOf, imageOf, indexOf, manifestOf } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { asImage, asIndex, contentOf, createRef, contentSource } from '../index.ts';
import type { Image, ImageSource, Index, Ref } from '../index.ts';

const nothing = contentSource([]);

function refOf(manifest: TestManifest, source: ImageSource = nothing): Ref {
  return createRef({ bytes: manifest.bytes, mediaType: manifest.mediaType, source });
}

/** A source that gives this manifest for whatever is asked of it. */
function giving(manifest: Manifest): ImageSource {
  return { ...nothing, getManifest: async () => manifest };
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error('there is no item');
  return item;
}

describe('a manifest in memory', () => {
  test('becomes an image or an index', () => {
    const image = imageOf();
    expect(refOf(image)).toMatchObject({ kind: 'image', descriptor: image.descriptor, bytes: image.bytes });
    const index = indexOf([image]);
    expect(refOf(index)).toMatchObject({ kind: 'index', descriptor: index.descriptor, manifests: [image.descriptor] });
  });

  test('has the expected digest', () => {
    const { bytes, mediaType } = imageOf();
    for (const algorithm of ['sha256', 'sha512']) {
      const digest = digestOf(bytes, algorithm);
      expect(createRef({ bytes, mediaType, digest, source: nothing }).descriptor.digest).toBe(digest);
      const other = digestOf(new Uint8Array(), algorithm);
      expect(() => createRef({ bytes, mediaType, digest: other, source: nothing })).toThrow(
        expect.objectContaining({ code: 'DIGEST_INVALID' }),
      );
    }
    expect(() => createRef({ bytes, mediaType, digest: 'sha256:', source: nothing })).toThrow(RegistryError);
  });

  test('lists nothing if it names nothing', () => {
    const image = refOf(imageOf({ fields: { layers: undefined } }));
    expect(asImage(image).layers).toEqual([]);
    expect(asIndex(refOf(indexOf([], { fields: { manifests: undefined } }))).manifests).toEqual([]);
  });

  test.each([
    ['a type that is no manifest’s', { ...imageOf(), mediaType: 'text/plain' }, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'an artifact manifest',
      manifestOf({ artifactType: 'a/b' }, { mediaType: mediaTypes.artifactManifest }),
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['an index that is called an image', { ...indexOf([]), mediaType: mediaTypes.imageManifest }, 'MANIFEST_INVALID'],
    ['a negative size', imageOf({ fields: { config: { ...blobOf('').descriptor, size: -1 } } }), 'MANIFEST_INVALID'],
    ['what is no JSON', { ...imageOf(), bytes: new Uint8Array(3) }, 'MANIFEST_INVALID'],
  ])('%s is refused', (_what, manifest, code) => {
    expect(() => refOf(manifest)).toThrow(expect.objectContaining({ code }));
  });

  test('is either an image or an index', () => {
    const [image, index] = [refOf(imageOf()), refOf(indexOf([]))];
    expect(asImage(image)).toBe(image);
    expect(asIndex(index)).toBe(index);
    expect(() => asImage(index)).toThrow(/is an index, not an image/);
    expect(() => asIndex(image)).toThrow(/is an image, not an index/);
  });
});

describe('a child of an index', () => {
  const image = imageOf();
  const index = asIndex(refOf(indexOf([image]), giving(image)));
  const child = (manifest: Manifest, entry: Partial<Descriptor> = {}): Promise<Ref> =>
    asIndex(refOf(indexOf([image]), giving(manifest))).child({ ...image.descriptor, ...entry });

  test('matches its entry', async () => {
    expect((await index.child(only(index.manifests))).descriptor).toEqual(image.descriptor);
  });

  test.each([
    ['other bytes', { ...image, bytes: image.bytes.map((byte) => byte ^ 1) }, {}, 'DIGEST_INVALID'],
    ['fewer bytes', { ...image, bytes: image.bytes.subarray(1) }, {}, 'SIZE_INVALID'],
    ['more bytes', { ...image, bytes: new Uint8Array([...image.bytes, 32]) }, {}, 'SIZE_INVALID'],
    ['a size that is one too small', image, { size: image.descriptor.size - 1 }, 'SIZE_INVALID'],
    ['a negative size', image, { size: -1 }, 'SIZE_INVALID'],
    ['a size that is no number', image, { size: Number.NaN }, 'SIZE_INVALID'],
    ['no digest', image, { digest: '' as `${string}:${string}` }, 'DIGEST_INVALID'],
    ['another type of the manifest', image, { mediaType: mediaTypes.dockerManifest }, 'MANIFEST_INVALID'],
    ['the type of an index', image, { mediaType: mediaTypes.imageIndex }, 'MANIFEST_INVALID'],
    ['a type that is neither', image, { mediaType: mediaTypes.layer }, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'another type, of which only its source tells',
      { ...image, descriptor: { ...image.descriptor, mediaType: mediaTypes.dockerManifest } },
      {},
      'MANIFEST_INVALID',
    ],
  ])('with %s is refused', async (_what, manifest, entry, code) => {
    await expect(child(manifest, entry)).rejects.toMatchObject({ code });
  });

  test('whose source knows no type has the entry’s type', async () => {
    const descriptor = { ...image.descriptor, mediaType: mediaTypes.octetStream };
    expect((await child({ ...image, descriptor })).descriptor).toEqual(image.descriptor);
  });

  test('that is too large is not requested', async () => {
    let asked = 0;
    const source: ImageSource = {
      ...nothing,
      getManifest: async () => {
        asked++;
        return image;
      },
    };
    const large = { ...image.descriptor, size: 50 * 1024 * 1024 + 1 };
    const other = asIndex(refOf(indexOf([large]), source));
    await expect(other.child(large)).rejects.toMatchObject({ code: 'CONTENT_TOO_LARGE' });
    expect(asked).toBe(0);
    await expect(other.child({ ...large, size: large.size - 1 })).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(asked).toBe(1);
  });

  test('that is missing is unknown', async () => {
    const other = asIndex(refOf(indexOf([image])));
    await expect(other.child(image.descriptor)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test('is not requested if the entry carries it', async () => {
    const data = Buffer.from(image.bytes).toString('base64');
    const other = asIndex(refOf(indexOf([image])));
    expect((await other.child({ ...image.descriptor, data })).bytes).toEqual(image.bytes);
    const wrong = Buffer.from(image.bytes.map((byte) => byte ^ 1)).toString('base64');
    await expect(other.child({ ...image.descriptor, data: wrong })).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test('comes from the source that sourceOf gives, with all that it names', async () => {
    const inner = indexOf([image]);
    const elsewhere: ImageSource = { ...contentSource(kept(image)), getManifest: async () => image };
    const source: ImageSource = {
      ...giving(inner),
      sourceOf: ({ digest }) => (digest === image.descriptor.digest ? elsewhere : undefined),
    };
    const outer = asIndex(refOf(indexOf([inner]), source));
    const between = asIndex(await outer.child(only(outer.manifests)));
    const found = asImage(await between.child(only(between.manifests)));
    expect(await found.readVerified(found.config)).toEqual(only(image.blobs).bytes);
  });
});

function kept(manifest: TestManifest): { descriptor: Descriptor; content: Uint8Array }[] {
  return manifest.blobs.map(({ descriptor, bytes }) => ({ descriptor, content: bytes }));
}

describe('reading a blob', () => {
  const { descriptor, content: bytes } = contentOf(new TextEncoder().encode('some content'), 'text/plain');
  const imageWith = (source: Partial<ImageSource>): Image => asImage(refOf(imageOf(), { ...nothing, ...source }));
  const contentWith = (pieces: readonly Uint8Array[], size: number = descriptor.size): BlobContent =>
    createContent({ descriptor: { ...descriptor, size }, source: { iterate: () => iterate(pieces) } });

  test('gives the content of the descriptor', async () => {
    const image = imageWith({ openBlob: async () => contentWith([bytes.subarray(0, 5), bytes.subarray(5)]) });
    expect(await image.readVerified(descriptor)).toEqual(bytes);
    expect(new Uint8Array(await new Response((await image.openBlob(descriptor)).stream()).arrayBuffer())).toEqual(
      bytes,
    );
    const buffer = new Uint8Array(100);
    const content = await image.openBlob(descriptor);
    let at = 0;
    for (let count; (count = await content.readInto(buffer.subarray(at, at + 7))) > 0;) at += count;
    expect(buffer.subarray(0, at)).toEqual(bytes);
  });

  test.each([
    ['other bytes', [bytes.map((byte) => byte ^ 1)], 'DIGEST_INVALID'],
    ['fewer bytes', [bytes.subarray(1)], 'SIZE_INVALID'],
    ['more bytes', [bytes, bytes], 'SIZE_INVALID'],
    ['no bytes', [], 'SIZE_INVALID'],
  ])('rejects with %s, however it is read', async (_what, pieces, code) => {
    const image = imageWith({ openBlob: async () => contentWith(pieces) });
    const all = async (read: (content: BlobContent) => Promise<unknown>): Promise<void> => {
      await expect(read(await image.openBlob(descriptor))).rejects.toMatchObject({ code });
    };
    await expect(image.readVerified(descriptor)).rejects.toMatchObject({ code });
    await all((content) => content.bytes());
    await all((content) => new Response(content.stream()).arrayBuffer());
    await all(async (content) => {
      for await (const piece of content) expect(piece.length).toBeGreaterThan(0);
    });
    await all(async (content) => {
      while ((await content.readInto(new Uint8Array(5))) > 0);
    });
  });

  test.each([descriptor.size + 1, descriptor.size - 1])(
    'rejects a source that announces %d bytes before it is read, and cancels it',
    async (size) => {
      const content = contentWith([bytes], size);
      const image = imageWith({ openBlob: async () => content });
      await expect(image.openBlob(descriptor)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
      await expect(content.open()).rejects.toThrow(/cancelled/);
    },
  );

  test('of malformed descriptors makes no request', async () => {
    const image = imageWith({
      openBlob: async () => {
        throw new Error('asked');
      },
    });
    for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(image.readVerified({ ...descriptor, size })).rejects.toMatchObject({ code: 'SIZE_INVALID' });
      await expect(image.openBlob({ ...descriptor, size })).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    }
    await expect(image.openBlob({ ...descriptor, digest: 'sha256:0' })).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
  });

  test('refuses content that is too large before it is requested', async () => {
    const asked: number[] = [];
    const image = imageWith({
      openBlob: async ({ size }) => {
        asked.push(size);
        return contentWith([bytes]);
      },
    });
    const tooLarge = { code: 'CONTENT_TOO_LARGE' };
    const large = { ...descriptor, size: 50 * 1024 * 1024 + 1 };
    await expect(image.readVerified(large)).rejects.toMatchObject(tooLarge);
    await expect(image.readVerified(descriptor, { limit: bytes.length - 1 })).rejects.toMatchObject(tooLarge);
    expect(asked).toEqual([]);
    expect(await image.readVerified(descriptor, { limit: bytes.length })).toEqual(bytes);
    // With a higher limit it is asked for, and is of another size.
    await expect(image.readVerified(large, { limit: large.size })).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(asked).toEqual([descriptor.size, large.size]);
  });

  test('that hangs ends with its signal', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const hanging = createContent({ descriptor, source: { iterate: () => hang(bytes.subarray(0, 3)) } });
    const image = imageWith({ openBlob: async () => hanging });
    const reading = async (): Promise<void> => {
      for await (const piece of await image.openBlob(descriptor, { signal: controller.signal })) {
        expect(piece).toEqual(bytes.subarray(0, 3));
        setTimeout(() => controller.abort(reason), 1);
      }
    };
    await expect(reading()).rejects.toBe(reason);
  });

  test('cancels the source when it is left', async () => {
    let left = 0;
    const source = {
      iterate: () => iterate([bytes.subarray(0, 5), bytes.subarray(5)]),
      cancel: async () => void left++,
    };
    const image = imageWith({ openBlob: async () => createContent({ descriptor, source }) });
    await (await image.openBlob(descriptor)).cancel();
    expect(left).toBe(1);
    for await (const piece of await image.openBlob(descriptor)) {
      expect(piece.length).toBe(5);
      break;
    }
    expect(left).toBe(2);
  });
});

async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function* hang(first: Uint8Array): AsyncGenerator<Uint8Array> {
  yield first;
  await new Promise(() => undefined);
}

describe('inline data', () => {
  const { descriptor, content: bytes } = contentOf(new TextEncoder().encode('some content'), 'text/plain', {
    inline: true,
  });
  const image: Image = asImage(refOf(imageOf()));

  test('is served without asking the source, also in parts', async () => {
    expect(await image.readVerified(descriptor)).toEqual(bytes);
    const part = await image.openBlob(descriptor, { range: { last: 7 } });
    expect(new TextDecoder().decode(await part.bytes())).toBe('content');
    expect(part.descriptor).toEqual(descriptor);
  });

  test.each([
    ['of another length', { data: btoa('some conten') }, 'SIZE_INVALID'],
    ['of other bytes', { data: btoa('SOME CONTENT') }, 'DIGEST_INVALID'],
    ['that is no base64', { data: 'c29tZSBjb250ZW5!' }, 'MANIFEST_INVALID'],
    ['in the alphabet of URLs', { data: '__--' }, 'MANIFEST_INVALID'],
    [
      'with white space',
      { data: `${descriptor.data?.slice(0, 12)}    ${descriptor.data?.slice(12)}` },
      'MANIFEST_INVALID',
    ],
    ['without its padding', { data: 'YQ' }, 'MANIFEST_INVALID'],
    ['with padding only', { data: '====' }, 'MANIFEST_INVALID'],
  ])('%s is refused, and no other content is fetched instead', async (_what, more, code) => {
    await expect(image.readVerified({ ...descriptor, ...more })).rejects.toMatchObject({ code });
    await expect(image.openBlob({ ...descriptor, ...more })).rejects.toMatchObject({ code });
  });

  test('that is empty is the content of an empty blob only', async () => {
    const empty = contentOf(new Uint8Array(), 'text/plain').descriptor;
    expect(await image.readVerified({ ...empty, data: '' })).toEqual(new Uint8Array());
    await expect(image.readVerified({ ...descriptor, data: '' })).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('of any length is encoded and decoded', async () => {
    const large = contentOf(crypto.getRandomValues(new Uint8Array(65_536)), 'a/b', { inline: true });
    const larger = contentOf(new Uint8Array(16).fill(7), 'a/b', { inline: true });
    for (const { descriptor: inlined, content } of [large, larger]) {
      expect(await image.readVerified(inlined)).toEqual(content);
      expect(inlined.data).toBe(Buffer.from(content).toString('base64'));
    }
    const huge = contentOf(new Uint8Array(6_000_001).fill(7), 'a/b', { inline: true });
    expect((await image.readVerified(huge.descriptor)).length).toBe(6_000_001);
  });
});

test('an index of manifests has no blobs and an image no children, and the types say so', () => {
  const index: Index = asIndex(refOf(indexOf([imageOf()])));
  expect(index.blobs).toEqual([]);
  expect('layers' in index).toBe(false);
  expect('child' in asImage(refOf(imageOf()))).toBe(false);
});

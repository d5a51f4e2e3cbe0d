// Pushing some platforms of an index: those that a `docker save` holds, or those that were chosen.
import { describe, expect, test } from 'vitest';

import { formatPlatform, mediaTypes, parsePlatform } from '../../model/index.ts';
import type { Digest, Platform, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, manifestOf, pushContent, randomBlob } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { asIndex, pull, push } from '../index.ts';
import type { PushOptions, Ref } from '../index.ts';

const named = (name: string): TestManifest => imageOf({ platform: parsePlatform(name) });
const digestOf = ({ descriptor }: TestManifest): Digest => descriptor.digest;

/** An index of which the source has only these images. */
async function savedWith(index: TestManifest, ...present: readonly TestManifest[]): Promise<Ref> {
  const source = createMemoryRegistry({ sparse: true });
  for (const each of present) await pushContent(source, 'saved', each);
  await source.pushManifest('saved', index.bytes, index.mediaType, { tags: ['v1'] });
  return pull(source, 'saved', { tag: 'v1' });
}

async function pushed(ref: Ref, platforms: PushOptions['platforms']): Promise<{ target: Registry; digests: Digest[] }> {
  const target = createMemoryRegistry();
  await push(target, 'a', ref, { tags: ['v1'], platforms });
  const index = asIndex(await pull(target, 'a', { tag: 'v1' }));
  return { target, digests: index.manifests.map(({ digest }) => digest) };
}

const [amd64, arm64, armv7] = [named('linux/amd64'), named('linux/arm64'), named('linux/arm/v7')];
const attestationOf = (image: TestManifest): TestManifest => {
  const platform: Platform = { os: 'unknown', architecture: 'unknown' };
  return {
    ...artifactOf({ artifactType: 'application/vnd.in-toto+json', annotations: { for: digestOf(image) } }),
    platform,
  };
};
const attested = (image: TestManifest, attestation: TestManifest): object => ({
  ...attestation.descriptor,
  platform: attestation.platform,
  annotations: { 'vnd.docker.reference.digest': digestOf(image), 'vnd.docker.reference.type': 'attestation-manifest' },
});

describe('an index of which only some platforms are there', () => {
  test('is refused as a whole, and the error tells about the option', async () => {
    const ref = await savedWith(indexOf([amd64, arm64]), amd64);
    const error = expect(push(createMemoryRegistry(), 'a', ref)).rejects;
    await error.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await error.toThrow(/platforms: 'present'/);
  });

  test('is pushed without those that are missing', async () => {
    const index = indexOf([arm64, amd64, armv7], { annotations: { kept: 'yes' } });
    const { target, digests } = await pushed(await savedWith(index, amd64), 'present');
    expect(digests).toEqual([digestOf(amd64)]);
    const { bytes } = await target.getTag('a', 'v1');
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({
      annotations: { kept: 'yes' },
      schemaVersion: 2,
    });
  });

  test('leaves out a blob of the index that is missing', async () => {
    const [there, gone] = [randomBlob(10), randomBlob(10)];
    const manifests = [amd64.descriptor, there.descriptor, gone.descriptor];
    const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
    const ref = await savedWith(index, amd64);
    await expect(pushed(ref, 'all')).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    const source = createMemoryRegistry({ sparse: true });
    await source.pushBlob('saved', there.descriptor, there.bytes);
    await pushContent(source, 'saved', amd64);
    await source.pushManifest('saved', index.bytes, index.mediaType, { tags: ['v1'] });
    const { digests } = await pushed(await pull(source, 'saved', { tag: 'v1' }), 'present');
    expect(digests).toEqual([digestOf(amd64), there.descriptor.digest]);
  });

  test('leaves out an image of which a layer is missing', async () => {
    const source = createMemoryRegistry({ sparse: true });
    await pushContent(source, 'saved', amd64);
    await source.pushManifest('saved', arm64.bytes, arm64.mediaType);
    const index = indexOf([amd64, arm64]);
    await source.pushManifest('saved', index.bytes, index.mediaType, { tags: ['v1'] });
    const { digests } = await pushed(await pull(source, 'saved', { tag: 'v1' }), 'present');
    expect(digests).toEqual([digestOf(amd64)]);
  });

  test('inside an index is pushed without them too', async () => {
    const inner = indexOf([amd64, arm64]);
    const outer = manifestOf(
      { schemaVersion: 2, manifests: [inner.descriptor, indexOf([armv7]).descriptor] },
      { mediaType: mediaTypes.imageIndex },
    );
    const source = createMemoryRegistry({ sparse: true });
    await pushContent(source, 'saved', amd64);
    for (const { bytes, mediaType } of [inner, indexOf([armv7])]) await source.pushManifest('saved', bytes, mediaType);
    await source.pushManifest('saved', outer.bytes, outer.mediaType, { tags: ['v1'] });
    const { target, digests } = await pushed(await pull(source, 'saved', { tag: 'v1' }), 'present');
    expect(digests).toHaveLength(1);
    const nested = asIndex(await pull(target, 'a', { digest: digests[0] ?? 'sha256:0' }));
    expect(nested.manifests.map(({ digest }) => digest)).toEqual([digestOf(amd64)]);
  });

  test('that is whole keeps its digest', async () => {
    const index = indexOf([amd64, arm64]);
    const { target } = await pushed(await savedWith(index, amd64, arm64), 'present');
    expect((await target.resolveTag('a', 'v1')).digest).toBe(digestOf(index));
  });

  test('is refused if nothing of it is there', async () => {
    const ref = await savedWith(indexOf([amd64, arm64]));
    await expect(pushed(ref, 'present')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });
});

describe('the platforms of a push', () => {
  test.each([
    [['linux/amd64'], [amd64]],
    [
      ['linux/arm64/v8', 'linux/arm/v7'],
      [arm64, armv7],
    ],
  ])('%s are all that it sends', async (platforms, images) => {
    const ref = await savedWith(indexOf([amd64, arm64, armv7]), ...images);
    const { digests } = await pushed(ref, platforms.map(parsePlatform));
    expect(digests).toEqual(images.map(digestOf));
  });

  test('are read from the configs of entries that name none', async () => {
    const manifests = [amd64, arm64, armv7].map(({ descriptor }) => descriptor);
    const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
    const ref = await savedWith(index, amd64, arm64, armv7);
    const { digests } = await pushed(ref, [parsePlatform('linux/arm64')]);
    expect(digests).toEqual([digestOf(arm64)]);
  });

  test('take the attestations of their images along, and no others', async () => {
    const [ofAmd, ofArm] = [attestationOf(amd64), attestationOf(arm64)];
    const manifests = [
      { ...amd64.descriptor, platform: amd64.platform },
      { ...arm64.descriptor, platform: arm64.platform },
      attested(amd64, ofAmd),
      attested(arm64, ofArm),
    ];
    const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
    const ref = await savedWith(index, amd64, arm64, ofAmd, ofArm);
    const { digests } = await pushed(ref, [parsePlatform('linux/arm64')]);
    expect(digests).toEqual([digestOf(arm64), digestOf(ofArm)]);
  });

  test('need no attestation that is not there, nor an entry without a platform', async () => {
    const [ofAmd, ofArm] = [attestationOf(amd64), attestationOf(arm64)];
    const manifests = [
      { ...amd64.descriptor, platform: amd64.platform },
      { ...arm64.descriptor, platform: arm64.platform },
      attested(amd64, ofAmd),
      attested(arm64, ofArm),
      armv7.descriptor,
    ];
    const index = manifestOf({ schemaVersion: 2, manifests }, { mediaType: mediaTypes.imageIndex });
    const { digests } = await pushed(await savedWith(index, amd64), [parsePlatform('linux/amd64')]);
    expect(digests).toEqual([digestOf(amd64)]);
    const error = expect(pushed(await savedWith(index, amd64), [parsePlatform('linux/arm64')])).rejects;
    await error.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: expect.stringContaining(digestOf(arm64)) as unknown,
    });
  });

  test.each([['some'], [{}], [[]], [['linux/amd64']], [null], [[null]]])('cannot be %j', async (wrong) => {
    const platforms = wrong as unknown as 'all';
    for (const ref of [await savedWith(indexOf([amd64]), amd64), await savedWith(amd64, amd64)]) {
      const error = expect(push(createMemoryRegistry(), 'a', ref, { platforms })).rejects;
      await error.toMatchObject({ code: 'UNSUPPORTED' });
      await error.toThrow(`platforms is ${JSON.stringify(wrong)}: use 'all', 'present'`);
    }
  });

  test('that an index does not have are named in the error, beside those that it has', async () => {
    const ref = await savedWith(indexOf([amd64, arm64]), amd64, arm64);
    const wanted = ['linux/amd64', 'linux/s390x'].map(parsePlatform);
    const error = expect(push(createMemoryRegistry(), 'a', ref, { platforms: wanted })).rejects;
    await error.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await error.toThrow(/no entry for linux\/s390x: it has linux\/amd64, linux\/arm64$/);
    expect(wanted.map(formatPlatform)).toContain('linux/s390x');
  });
});

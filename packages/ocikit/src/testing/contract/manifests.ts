// Cases for pushing manifests and reading them.
import { collect } from '../../model/index.ts';
import {
  algorithms,
  assertManifest,
  assertNoManifest,
  assertNoTag,
  equal,
  group,
  identityOf,
  manifestKinds,
  codesOfHead,
  codesOfUnknownRepository,
  pushParts,
  rejects,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { blobOf, imageOf, indexOf, pushContent, pushImage, randomBlob } from '../content/index.ts';

/** The cases for `pushManifest` with manifests that are right. */
export const pushingManifests: DefineGroup = group('pushing manifests', ['writing'], (test) => {
  for (const { name: kind, make } of manifestKinds) {
    test(`stores ${kind} with a tag, byte by byte`, async ({ registry, repository }) => {
      const name = repository();
      const manifest = make();
      await pushParts(registry, name, manifest);
      const pushed = await registry.pushManifest(name, manifest.bytes, manifest.mediaType, { tags: ['v1'] });
      equal(identityOf(pushed.descriptor), manifest.descriptor, 'the result of pushManifest');
      equal(pushed.tags, ['v1'], 'the tags that it returns');
      await assertManifest(registry, name, manifest, 'v1');
    });
  }

  for (const algorithm of algorithms) {
    for (const { name: kind, make } of manifestKinds) {
      test(`stores ${kind} by its ${algorithm} digest`, async ({ registry, repository }) => {
        const name = repository();
        const manifest = make(algorithm);
        const { descriptor, tags } = await pushContent(registry, name, manifest);
        equal(identityOf(descriptor), manifest.descriptor, 'the result of pushManifest');
        equal(tags, [], 'the tags that it returns');
        await assertManifest(registry, name, manifest);
      });
    }

    test(`sets tags on a manifest that its ${algorithm} digest names`, async ({ registry, repository }) => {
      const name = repository();
      const image = imageOf({ algorithm });
      const pushed = await pushContent(registry, name, image, { tags: ['a', 'b'] });
      equal(pushed.tags.toSorted(), ['a', 'b'], 'the tags that it returns');
      await assertManifest(registry, name, image, 'a', 'b');
    });

    test(`refuses bytes that do not have the ${algorithm} digest, and sets no tag`, async ({
      registry,
      repository,
    }) => {
      const name = repository();
      const image = imageOf({ algorithm });
      await pushParts(registry, name, image);
      const { digest } = image.descriptor;
      const changed = new Uint8Array([...image.bytes, 32, 32]);
      const options = { digest, tags: ['v1'] };
      await rejects(registry.pushManifest(name, changed, image.mediaType, options), 'DIGEST_INVALID');
      await assertNoManifest(registry, name, digest);
      await assertNoManifest(registry, name, blobOf(changed, { algorithm }).descriptor.digest);
      await assertNoTag(registry, name, 'v1');
    });
  }

  test('names a manifest by its sha256 digest if none is given', async ({ registry, repository }) => {
    const name = repository();
    const image = imageOf();
    await pushParts(registry, name, image);
    const { descriptor } = await registry.pushManifest(name, image.bytes, image.mediaType);
    equal(descriptor.digest, image.descriptor.digest, 'the digest');
    await assertManifest(registry, name, image);
  });

  test('keeps a manifest apart under its sha256 and its sha512 digest', async ({ registry, repository }) => {
    const name = repository();
    const short = imageOf();
    const long = { ...short, ...blobOf(short.bytes, { algorithm: 'sha512', mediaType: short.mediaType }) };
    await pushContent(registry, name, short);
    await pushContent(registry, name, long);
    await assertManifest(registry, name, short);
    await assertManifest(registry, name, long);
    await registry.deleteManifest(name, short.descriptor.digest);
    await assertManifest(registry, name, long);
  });

  test('returns the subject of a manifest that is listed as a referrer', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    const refers = await pushContent(registry, name, imageOf({ subject: image.descriptor }));
    equal(refers.subject, image.descriptor.digest, 'the subject');
    const plain = await pushContent(registry, name, imageOf());
    equal(plain.subject, undefined, 'the subject of a manifest without one');
  });

  test('accepts a manifest that exists already', async ({ registry, repository }) => {
    const name = repository();
    const image = imageOf();
    const first = await pushContent(registry, name, image, { tags: ['v1'] });
    const second = await pushContent(registry, name, image, { tags: ['v1'] });
    equal(second, first, 'the result of the second push');
    await pushContent(registry, name, image);
    await assertManifest(registry, name, image, 'v1');
    equal(await collect(registry.tags(name)), ['v1'], 'the tags');
  });

  test('stores bytes that the caller can overwrite afterwards', async ({ registry, repository }) => {
    const name = repository();
    const image = imageOf();
    await pushParts(registry, name, image);
    const buffer = image.bytes.slice();
    await registry.pushManifest(name, buffer, image.mediaType, { tags: ['v1'] });
    buffer.fill(0);
    await assertManifest(registry, name, image, 'v1');
  });

  test('makes a manifest visible in its repository only', async ({ registry, repository }) => {
    const [has, other] = [repository(), repository()];
    const image = await pushImage(registry, has, { tags: ['v1'] });
    await pushImage(registry, other, { tags: ['v2'] });
    await assertNoManifest(registry, other, image.descriptor.digest);
    await assertNoTag(registry, other, 'v1');
  });

  test('creates the repository with a manifest alone', async (scene) => {
    const name = scene.repository();
    const index = indexOf([]);
    await pushContent(scene.registry, name, index);
    equal(await scene.listed(), [name], 'the repositories that are listed');
    equal(await collect(scene.registry.tags(name)), [], 'the tags');
  });
});

/** The cases for `getManifest`, `getTag` and their `resolve` twins. */
export const readingManifests: DefineGroup = group('reading manifests', [], (test) => {
  test('gives a manifest by digest and by tag', async ({ registry, origin, repository }) => {
    const name = repository();
    const image = await pushImage(origin, name, { tags: ['v1'] });
    await assertManifest(registry, name, image, 'v1');
  });

  test('describes a manifest by type, digest and size alone', async (scene) => {
    const { registry, origin } = scene;
    const name = scene.repository();
    const { descriptor } = await pushImage(origin, name, { tags: ['v1'], annotations: { of: 'the manifest' } });
    const said = [
      await registry.resolveManifest(name, descriptor.digest),
      await registry.resolveTag(name, 'v1'),
      (await registry.getManifest(name, descriptor.digest)).descriptor,
      (await registry.getTag(name, 'v1')).descriptor,
    ];
    for (const { annotations, platform, data } of said)
      equal({ annotations, platform, data }, {}, 'the other fields of the descriptor');
  });

  test('does not find a manifest that was never pushed', async ({ registry, origin, repository }) => {
    const name = repository();
    await pushImage(origin, name);
    for (const algorithm of algorithms) {
      await assertNoManifest(registry, name, imageOf({ algorithm }).descriptor.digest);
    }
    await assertNoTag(registry, name, 'missing');
  });

  test('does not find a blob as a manifest', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await origin.pushBlob(name, descriptor, bytes);
    await assertNoManifest(registry, name, descriptor.digest);
  });

  test('rejects for an unknown repository', async ({ registry, repository, traits }) => {
    const name = repository();
    const { digest } = imageOf().descriptor;
    const head = codesOfHead(traits, 'NAME_UNKNOWN', 'MANIFEST_UNKNOWN');
    await rejects(registry.resolveManifest(name, digest), head, 'resolveManifest');
    await rejects(registry.resolveTag(name, 'v1'), head, 'resolveTag');
    await rejects(
      registry.getManifest(name, digest),
      codesOfUnknownRepository(traits, 'MANIFEST_UNKNOWN'),
      'getManifest',
    );
    await rejects(registry.getTag(name, 'v1'), codesOfUnknownRepository(traits, 'MANIFEST_UNKNOWN'), 'getTag');
  });

  test('gives each caller a copy of the manifest', async ({ registry, origin, repository }) => {
    const name = repository();
    const image = await pushImage(origin, name, { tags: ['v1'] });
    (await registry.getManifest(name, image.descriptor.digest)).bytes.fill(0);
    (await registry.getTag(name, 'v1')).bytes.fill(0);
    await assertManifest(registry, name, image, 'v1');
  });
});

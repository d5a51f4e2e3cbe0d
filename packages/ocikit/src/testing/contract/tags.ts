// Cases for setting and moving tags, and for immutable ones.
import { collect } from '../../model/index.ts';
import {
  algorithms,
  assertManifest,
  assertNoManifest,
  assertNoRepository,
  assertNoTag,
  equal,
  group,
  pushParts,
  rejects,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { imageOf, pushContent, pushImage } from '../content/index.ts';

/** The cases for setting and moving tags. */
export const tagging: DefineGroup = group('tagging', ['writing'], (test) => {
  test('sets several tags with one push', async ({ registry, repository }) => {
    const name = repository();
    const tags = ['1.2.3', '1.2', '1', 'latest', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const image = imageOf();
    const pushed = await pushContent(registry, name, image, { tags });
    equal(pushed.tags.toSorted(), tags.toSorted(), 'the tags that pushManifest returns');
    await assertManifest(registry, name, image, ...tags);
    equal(await collect(registry.tags(name)), tags.toSorted(), 'the tags that are listed');
  });

  test('sets a tag once if it is named several times', async ({ registry, repository }) => {
    const name = repository();
    const image = imageOf();
    await pushContent(registry, name, image, { tags: ['a', 'a', 'b', 'a'] });
    await assertManifest(registry, name, image, 'a', 'b');
    equal(await collect(registry.tags(name)), ['a', 'b'], 'the tags that are listed');
  });

  test('sets none of several tags if one is malformed, and stores nothing', async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const other = scene.repository();
    const image = imageOf();
    await pushParts(registry, name, image);
    for (const malformed of ['', '.a', '-a', 'a b', 'a/b', 'a:b', 'a+b', 'ü', 'x'.repeat(129)]) {
      for (const tags of [
        ['good', malformed],
        [malformed, 'good'],
      ]) {
        const push = registry.pushManifest(name, image.bytes, image.mediaType, { tags });
        await rejects(push, 'MANIFEST_INVALID', JSON.stringify(malformed));
      }
    }
    await assertNoManifest(registry, name, image.descriptor.digest);
    await assertNoTag(registry, name, 'good');
    const push = registry.pushManifest(other, image.bytes, image.mediaType, { tags: ['good', 'not good'] });
    await rejects(push, 'MANIFEST_INVALID');
    await assertNoRepository(scene, other, image.descriptor.digest);
  });

  test('accepts every tag that the specification allows', async ({ registry, repository }) => {
    const name = repository();
    const tags = ['_', '0', 'A', 'a.b-c_d', 'x'.repeat(128), '_._-', 'sha256-abc.sig', 'CON', 'latest.', '0-'];
    const image = imageOf();
    await pushContent(registry, name, image, { tags });
    await assertManifest(registry, name, image, ...tags);
  });

  test('keeps tags apart that differ only in case', async ({ registry, repository }) => {
    const name = repository();
    const lower = await pushImage(registry, name, { tags: ['latest'] });
    const upper = await pushImage(registry, name, { tags: ['LATEST'] });
    await assertManifest(registry, name, lower, 'latest');
    await assertManifest(registry, name, upper, 'LATEST');
    await assertNoTag(registry, name, 'Latest');
  });

  test('keeps the same tag of two repositories apart', async ({ registry, repository }) => {
    const [a, b] = [repository(), repository()];
    const [inA, inB] = [await pushImage(registry, a, { tags: ['v1'] }), await pushImage(registry, b, { tags: ['v1'] })];
    await assertManifest(registry, a, inA, 'v1');
    await assertManifest(registry, b, inB, 'v1');
  });

  for (const algorithm of algorithms) {
    test(`moves a tag to a manifest with a ${algorithm} digest`, ['movable tags'], async ({ registry, repository }) => {
      const name = repository();
      const before = await pushImage(registry, name, { tags: ['moves', 'stays'] });
      const after = await pushImage(registry, name, { tags: ['moves'], algorithm });
      await assertManifest(registry, name, after, 'moves');
      await assertManifest(registry, name, before, 'stays');
    });
  }

  test('keeps a manifest whose last tag has moved to another', ['movable tags'], async ({ registry, repository }) => {
    const name = repository();
    const before = await pushImage(registry, name, { tags: ['v1'] });
    const after = await pushImage(registry, name, { tags: ['v1'] });
    await assertManifest(registry, name, before);
    await assertManifest(registry, name, after, 'v1');
    equal(await collect(registry.tags(name)), ['v1'], 'the tags');
  });

  test('moves a tag back and forth', ['movable tags'], async ({ registry, repository }) => {
    const name = repository();
    const [one, two] = [await pushImage(registry, name), await pushImage(registry, name)];
    for (const image of [one, two, one, two]) {
      await registry.pushManifest(name, image.bytes, image.mediaType, { tags: ['v1'] });
      await assertManifest(registry, name, image, 'v1');
    }
  });

  test('adds a tag to a stored manifest, and keeps its other tags', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name, { tags: ['one'] });
    await registry.pushManifest(name, image.bytes, image.mediaType, { tags: ['two'] });
    await registry.pushManifest(name, image.bytes, image.mediaType);
    await assertManifest(registry, name, image, 'one', 'two');
  });
});

/** The cases for a registry whose tags cannot move. */
export const immutableTags: DefineGroup = group(
  'a registry with immutable tags',
  ['writing', 'immutable tags'],
  (test) => {
    test('accepts the same manifest again', async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['v1'] });
      const pushed = await pushContent(registry, name, image, { tags: ['v1'] });
      equal(pushed.tags, ['v1'], 'the tags that pushManifest returns');
      await assertManifest(registry, name, image, 'v1');
    });

    test('refuses another manifest, and does not store it', async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['v1'] });
      const other = imageOf();
      await pushParts(registry, name, other);
      for (const tags of [['v1'], ['new', 'v1'], ['v1', 'new']]) {
        await rejects(
          registry.pushManifest(name, other.bytes, other.mediaType, { tags }),
          'DENIED',
          tags.join(' and '),
        );
      }
      await assertManifest(registry, name, image, 'v1');
      await assertNoTag(registry, name, 'new');
      await assertNoManifest(registry, name, other.descriptor.digest);
    });

    test('sets the other tags of a push if one of them exists', async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['v1'] });
      await pushContent(registry, name, image, { tags: ['v1', 'v2'] });
      await pushContent(registry, name, image, { tags: ['v3', 'v1'] });
      await assertManifest(registry, name, image, 'v1', 'v2', 'v3');
    });

    test('accepts other manifests without a tag or with a new one', async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['v1'] });
      const untagged = await pushImage(registry, name);
      const other = await pushImage(registry, name, { tags: ['v2'] });
      await assertManifest(registry, name, image, 'v1');
      await assertManifest(registry, name, untagged);
      await assertManifest(registry, name, other, 'v2');
    });

    test('refuses to delete a tag and the content that it reaches', async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['v1'] });
      const { digest } = image.descriptor;
      const refused = ['DENIED', 'UNSUPPORTED'] as const;
      await rejects(registry.deleteTag(name, 'v1'), refused, 'deleteTag');
      await rejects(registry.deleteTag(name, 'v1', { ifTag: digest }), refused, 'deleteTag with its digest');
      await rejects(registry.deleteManifest(name, digest), refused, 'deleteManifest');
      for (const blob of image.blobs) {
        await rejects(registry.deleteBlob(name, blob.descriptor.digest), refused, 'deleteBlob');
      }
      await assertManifest(registry, name, image, 'v1');
    });

    test('deletes content that no tag reaches', async ({ registry, repository }) => {
      const name = repository();
      await pushImage(registry, name, { tags: ['v1'] });
      const untagged = await pushImage(registry, name);
      await registry.deleteManifest(name, untagged.descriptor.digest);
      for (const { descriptor } of untagged.blobs) await registry.deleteBlob(name, descriptor.digest);
      await assertNoManifest(registry, name, untagged.descriptor.digest);
    });

    test('lets exactly one of many concurrent pushes set a new tag', async ({ registry, repository }) => {
      const name = repository();
      const images = [imageOf(), imageOf(), imageOf(), imageOf()];
      for (const image of images) await pushParts(registry, name, image);
      const results = await Promise.allSettled(
        images.map((image) => registry.pushManifest(name, image.bytes, image.mediaType, { tags: ['v1'] })),
      );
      const winners = images.filter((_image, i) => results[i]?.status === 'fulfilled');
      equal(winners.length, 1, 'the number of pushes that won');
      for (const result of results) {
        if (result.status === 'rejected') await rejects(Promise.reject(result.reason), 'DENIED', 'a push that lost');
      }
      for (const winner of winners) await assertManifest(registry, name, winner, 'v1');
    });
  },
);

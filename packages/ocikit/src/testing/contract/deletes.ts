// Cases for deleting blobs, manifests and tags, and for repositories that become empty.
import { collect } from '../../model/index.ts';
import {
  algorithms,
  assertBlob,
  assertManifest,
  assertNoBlob,
  assertNoManifest,
  assertNoRepository,
  assertNoTag,
  equal,
  group,
  codesOfUnknownRepository,
  rejects,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { imageOf, indexOf, pushContent, pushImage, randomBlob } from '../content/index.ts';

/** The cases for `deleteBlob`. */
export const deletingBlobs: DefineGroup = group('deleting blobs', ['writing'], (test) => {
  for (const algorithm of algorithms) {
    test(`deletes a ${algorithm} blob, and no other`, async ({ registry, repository }) => {
      const name = repository();
      const [gone, kept] = [randomBlob(100, { algorithm }), randomBlob(100, { algorithm })];
      await registry.pushBlob(name, gone.descriptor, gone.bytes);
      await registry.pushBlob(name, kept.descriptor, kept.bytes);
      await registry.deleteBlob(name, gone.descriptor.digest);
      await assertNoBlob(registry, name, gone.descriptor.digest);
      await assertBlob(registry, name, kept.descriptor, kept.bytes);
    });
  }

  test('keeps the blob in another repository that has it too', async (scene) => {
    const { registry } = scene;
    const [a, b] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(a, descriptor, bytes);
    await registry.pushBlob(b, descriptor, bytes);
    await registry.deleteBlob(a, descriptor.digest);
    await assertNoRepository(scene, a, descriptor.digest);
    await assertBlob(registry, b, descriptor, bytes);
    await registry.deleteBlob(b, descriptor.digest);
    await assertNoRepository(scene, b, descriptor.digest);
  });

  test('rejects if there is nothing to delete', async ({ registry, repository, traits }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await rejects(
      registry.deleteBlob(name, descriptor.digest),
      codesOfUnknownRepository(traits, 'BLOB_UNKNOWN'),
      'in an unknown repository',
    );
    await registry.pushBlob(name, descriptor, bytes);
    const { digest } = randomBlob().descriptor;
    await rejects(registry.deleteBlob(name, digest), 'BLOB_UNKNOWN', 'a blob that was never pushed');
    const other = repository();
    const elsewhere = randomBlob();
    await registry.pushBlob(other, elsewhere.descriptor, elsewhere.bytes);
    await rejects(
      registry.deleteBlob(name, elsewhere.descriptor.digest),
      'BLOB_UNKNOWN',
      'a blob of another repository',
    );
    await assertBlob(registry, other, elsewhere.descriptor, elsewhere.bytes);
    await registry.deleteBlob(other, elsewhere.descriptor.digest);
  });

  test('rejects a second deletion', async ({ registry, repository }) => {
    const name = repository();
    const [gone, kept] = [randomBlob(), randomBlob()];
    await registry.pushBlob(name, kept.descriptor, kept.bytes);
    await registry.pushBlob(name, gone.descriptor, gone.bytes);
    await registry.deleteBlob(name, gone.descriptor.digest);
    await rejects(registry.deleteBlob(name, gone.descriptor.digest), 'BLOB_UNKNOWN');
  });

  test('lets a deleted blob be pushed again', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    for (let time = 0; time < 3; time++) {
      await registry.pushBlob(name, descriptor, bytes);
      await assertBlob(registry, name, descriptor, bytes);
      await registry.deleteBlob(name, descriptor.digest);
    }
  });

  test('does not delete a manifest as a blob', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    await rejects(registry.deleteBlob(name, image.descriptor.digest), ['BLOB_UNKNOWN', 'DENIED', 'UNSUPPORTED']);
    await assertManifest(registry, name, image);
  });
});

/** The cases for `deleteManifest`. */
export const deletingManifests: DefineGroup = group('deleting manifests', ['writing'], (test) => {
  for (const algorithm of algorithms) {
    test(`deletes a ${algorithm} manifest with its tags`, ['deletable tags'], async ({ registry, repository }) => {
      const name = repository();
      const gone = imageOf({ algorithm });
      await pushContent(registry, name, gone, { tags: ['a', 'b'] });
      const kept = await pushImage(registry, name, { tags: ['c'] });
      await registry.deleteManifest(name, gone.descriptor.digest);
      await assertNoManifest(registry, name, gone.descriptor.digest);
      await assertNoTag(registry, name, 'a');
      await assertNoTag(registry, name, 'b');
      equal(await collect(registry.tags(name)), ['c'], 'the remaining tags');
      await assertManifest(registry, name, kept, 'c');
    });
  }

  test(
    'does not restore tags when the manifest is pushed again',
    ['deletable tags'],
    async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['a'] });
      await registry.deleteManifest(name, image.descriptor.digest);
      await registry.pushManifest(name, image.bytes, image.mediaType);
      await assertNoTag(registry, name, 'a');
    },
  );

  test('keeps a tag that has moved to another manifest', ['deletable tags'], async ({ registry, repository }) => {
    const name = repository();
    const before = await pushImage(registry, name, { tags: ['v1'] });
    const after = await pushImage(registry, name, { tags: ['v1'] });
    await registry.deleteManifest(name, before.descriptor.digest);
    await assertManifest(registry, name, after, 'v1');
  });

  test('keeps the content that the manifest names', async ({ registry, repository }) => {
    const name = repository();
    const image = imageOf();
    const index = indexOf([image]);
    await pushContent(registry, name, index);
    await registry.deleteManifest(name, index.descriptor.digest);
    await assertNoManifest(registry, name, index.descriptor.digest);
    await assertManifest(registry, name, image);
    await registry.deleteManifest(name, image.descriptor.digest);
    await assertNoManifest(registry, name, image.descriptor.digest);
    for (const { descriptor, bytes } of image.blobs) await assertBlob(registry, name, descriptor, bytes);
  });

  test('keeps the manifest in other repositories', async (scene) => {
    const { registry } = scene;
    const [a, b] = [scene.repository(), scene.repository()];
    const index = indexOf([], { annotations: { a: 'b' } });
    await pushContent(registry, a, index);
    await pushContent(registry, b, index, { tags: ['v1'] });
    await registry.deleteManifest(a, index.descriptor.digest);
    await assertNoRepository(scene, a, index.descriptor.digest);
    await assertManifest(registry, b, index, 'v1');
  });

  test('rejects if there is nothing to delete', async ({ registry, repository, traits }) => {
    const name = repository();
    const { digest } = imageOf().descriptor;
    await rejects(
      registry.deleteManifest(name, digest),
      codesOfUnknownRepository(traits, 'MANIFEST_UNKNOWN'),
      'in an unknown repository',
    );
    const blob = randomBlob();
    const image = await pushImage(registry, name, { layers: [blob] });
    await rejects(registry.deleteManifest(name, digest), 'MANIFEST_UNKNOWN', 'a manifest that was never pushed');
    await rejects(registry.deleteManifest(name, blob.descriptor.digest), 'MANIFEST_UNKNOWN', 'a blob');
    await assertBlob(registry, name, blob.descriptor, blob.bytes);
    await registry.deleteManifest(name, image.descriptor.digest);
    await rejects(registry.deleteManifest(name, image.descriptor.digest), 'MANIFEST_UNKNOWN', 'a second time');
  });
});

/** The cases for `deleteTag` without a condition. */
export const deletingTags: DefineGroup = group('deleting tags', ['writing', 'deletable tags'], (test) => {
  test('deletes a tag, and keeps the manifest and its other tags', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name, { tags: ['gone', 'kept'] });
    await registry.deleteTag(name, 'gone');
    await assertNoTag(registry, name, 'gone');
    await assertManifest(registry, name, image, 'kept');
  });

  test('keeps the manifest whose last tag is deleted', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name, { tags: ['v1'] });
    await registry.deleteTag(name, 'v1');
    await assertManifest(registry, name, image);
    equal(await collect(registry.tags(name)), [], 'the tags');
    for (const { descriptor, bytes } of image.blobs) await assertBlob(registry, name, descriptor, bytes);
  });

  test('rejects if there is nothing to delete', async ({ registry, repository, traits }) => {
    const name = repository();
    await rejects(
      registry.deleteTag(name, 'v1'),
      codesOfUnknownRepository(traits, 'MANIFEST_UNKNOWN'),
      'in an unknown repository',
    );
    await pushImage(registry, name, { tags: ['v1'] });
    await rejects(registry.deleteTag(name, 'v2'), 'MANIFEST_UNKNOWN', 'a tag that was never set');
    await registry.deleteTag(name, 'v1');
    await rejects(registry.deleteTag(name, 'v1'), 'MANIFEST_UNKNOWN', 'a second time');
  });

  test('keeps the same tag of another repository', async ({ registry, repository }) => {
    const [a, b] = [repository(), repository()];
    await pushImage(registry, a, { tags: ['v1'] });
    const kept = await pushImage(registry, b, { tags: ['v1'] });
    await registry.deleteTag(a, 'v1');
    await assertManifest(registry, b, kept, 'v1');
  });

  test('lets a deleted tag be set again', async ({ registry, repository }) => {
    const name = repository();
    await pushImage(registry, name, { tags: ['v1'] });
    await registry.deleteTag(name, 'v1');
    const image = await pushImage(registry, name, { tags: ['v1'] });
    await assertManifest(registry, name, image, 'v1');
  });
});

/** The cases for a repository whose last content is deleted. */
export const emptyingRepositories: DefineGroup = group(
  'emptying repositories',
  ['writing', 'deletable tags'],
  (test) => {
    test('forgets a repository with its last content, and lets it be created again', async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const image = imageOf();
      for (let time = 0; time < 2; time++) {
        await pushContent(registry, name, image, { tags: ['v1'] });
        equal(await scene.listed(), [name], 'the repositories');
        await registry.deleteManifest(name, image.descriptor.digest);
        equal(await scene.listed(), [name], 'the repositories while there are blobs');
        for (const { descriptor } of image.blobs) await registry.deleteBlob(name, descriptor.digest);
        await assertNoRepository(scene, name, image.descriptor.digest);
      }
    });

    test('keeps the repositories below an emptied one', async (scene) => {
      const { registry } = scene;
      const [above, below] = [scene.repository('a'), scene.repository('a/b')];
      const { descriptor, bytes } = randomBlob();
      await registry.pushBlob(above, descriptor, bytes);
      await registry.pushBlob(below, descriptor, bytes);
      await registry.deleteBlob(above, descriptor.digest);
      equal(await scene.listed(), [below], 'the repositories');
      await assertBlob(registry, below, descriptor, bytes);
    });
  },
);

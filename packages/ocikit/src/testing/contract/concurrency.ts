// Cases with many calls at the same time.
import { collect } from '../../model/index.ts';
import {
  assertBlob,
  assertManifest,
  equal,
  group,
  holds,
  inPieces,
  pushParts,
  sameBytes,
  worksOr,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { imageOf, pushContent, pushImage, randomBlob } from '../content/index.ts';

/** The cases with many calls at once. */
export const concurrency: DefineGroup = group('a registry under concurrent calls', ['writing'], (test) => {
  test('stores a blob that sixteen calls push at once', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(200_000);
    await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        registry.pushBlob(name, descriptor, i % 2 === 0 ? bytes : inPieces(bytes, 10_000 + i)),
      ),
    );
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('stores a blob that comes through eight uploads at once', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(50_000);
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const upload = await registry.startUpload(name);
        await upload.append(bytes);
        await upload.commit(descriptor.digest);
      }),
    );
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('refuses wrong bytes while the right ones are pushed', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(100_000);
    const wrong = randomBlob(100_000).bytes;
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        worksOr('DIGEST_INVALID', registry.pushBlob(name, descriptor, inPieces(i % 2 === 0 ? bytes : wrong, 9000))),
      ),
    );
    equal(
      results,
      Array.from({ length: 12 }, (_, i) => i % 2 === 0),
      'the pushes that worked',
    );
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('stores different blobs that are pushed at once', async ({ registry, repository }) => {
    const name = repository();
    const blobs = Array.from({ length: 30 }, (_, i) => randomBlob(1000 + i));
    await Promise.all(blobs.map(({ descriptor, bytes }) => registry.pushBlob(name, descriptor, bytes)));
    for (const { descriptor, bytes } of blobs) await assertBlob(registry, name, descriptor, bytes);
  });

  test('creates a repository once for many first pushes', async (scene) => {
    const name = scene.repository();
    const images = Array.from({ length: 8 }, () => imageOf());
    await Promise.all(images.map((image, i) => pushContent(scene.registry, name, image, { tags: [`v${i}`] })));
    equal(await scene.listed(), [name], 'the repositories');
    for (const [i, image] of images.entries()) await assertManifest(scene.registry, name, image, `v${i}`);
  });

  test('sets all of many tags that are pushed at once', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    const tags = Array.from({ length: 30 }, (_, i) => `v${String(i).padStart(2, '0')}`);
    const { bytes, mediaType } = image;
    await Promise.all(tags.map((tag) => registry.pushManifest(name, bytes, mediaType, { tags: [tag] })));
    equal(await collect(registry.tags(name)), tags, 'the tags');
    await assertManifest(registry, name, image, ...tags);
  });

  test('leaves a tag at one of many manifests that are pushed at once', ['movable tags'], async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const images = Array.from({ length: 12 }, () => imageOf());
    await Promise.all(images.map((image) => pushParts(registry, name, image)));
    await Promise.all(
      images.map(({ bytes, mediaType }) => registry.pushManifest(name, bytes, mediaType, { tags: ['v1'] })),
    );
    const { descriptor } = await registry.getTag(name, 'v1');
    const winner = images.find((image) => image.descriptor.digest === descriptor.digest);
    holds(winner !== undefined, `expected v1 at one of the pushed manifests, but it is at ${descriptor.digest}`);
    for (const image of images) await assertManifest(registry, name, image);
  });

  test('stays consistent while a blob is pushed, read and deleted repeatedly', async ({ registry, repository }) => {
    const [name, other] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob(20_000);
    const { digest } = descriptor;
    const kept = randomBlob(10);
    await registry.pushBlob(name, kept.descriptor, kept.bytes);
    const push = (): Promise<unknown> => registry.pushBlob(name, descriptor, inPieces(bytes, 7000));
    const remove = (): Promise<unknown> => worksOr('BLOB_UNKNOWN', registry.deleteBlob(name, digest));
    const read = async (): Promise<void> => {
      const content = await registry.getBlob(name, digest);
      sameBytes(await content.bytes(), bytes, 'a blob that is deleted and pushed meanwhile');
    };
    for (let round = 0; round < 10; round++) {
      await Promise.all([
        push(),
        remove(),
        worksOr('BLOB_UNKNOWN', read()),
        push(),
        remove(),
        worksOr('BLOB_UNKNOWN', read()),
      ]);
      // The calls end in any order, but a blob that is found can be read.
      if (await worksOr('BLOB_UNKNOWN', registry.resolveBlob(name, digest))) {
        await assertBlob(registry, name, descriptor, bytes);
      }
    }
    await push();
    await assertBlob(registry, name, descriptor, bytes);
    await registry.mountBlob(name, other, digest);
    await Promise.all([remove(), registry.pushBlob(other, descriptor, bytes)]);
    await assertBlob(registry, other, descriptor, bytes);
  });

  test('keeps the blob that one repository pushes while another deletes it', async ({ registry, repository }) => {
    for (let round = 0; round < 10; round++) {
      const [a, b] = [repository(), repository()];
      const { descriptor, bytes } = randomBlob(5000);
      await registry.pushBlob(a, descriptor, bytes);
      await Promise.all([
        registry.deleteBlob(a, descriptor.digest),
        registry.pushBlob(b, descriptor, round % 2 === 0 ? bytes : inPieces(bytes, 500)),
      ]);
      await assertBlob(registry, b, descriptor, bytes);
    }
  });

  test(
    'stays consistent while tags are set and deleted repeatedly',
    ['deletable tags'],
    async ({ registry, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name);
      const { bytes, mediaType } = image;
      for (let round = 0; round < 10; round++) {
        const tag = `v${round % 3}`;
        await Promise.all([
          registry.pushManifest(name, bytes, mediaType, { tags: [tag] }),
          worksOr('MANIFEST_UNKNOWN', registry.deleteTag(name, tag)),
          worksOr('MANIFEST_UNKNOWN', registry.getTag(name, tag)),
          collect(registry.tags(name)),
        ]);
      }
      for (const tag of await collect(registry.tags(name))) await assertManifest(registry, name, image, tag);
    },
  );

  test('lists tags while others are pushed', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name, { tags: ['a', 'z'] });
    const { bytes, mediaType } = image;
    const found: string[] = [];
    let i = 0;
    for await (const tag of registry.tags(name)) {
      found.push(tag);
      if (i < 5) await registry.pushManifest(name, bytes, mediaType, { tags: [`m${i++}`] });
    }
    equal(
      found.filter((tag) => tag === 'a' || tag === 'z'),
      ['a', 'z'],
      'the tags that existed all the time',
    );
    equal(found.toSorted(), found, 'the order');
  });
});

// Cases for removing unused content while other calls use it.
import type { Digest } from '../../model/index.ts';
import {
  assertBlob,
  assertManifest,
  assertNoBlob,
  assertNoManifest,
  assertNoRepository,
  equal,
  group,
  holds,
  pause,
  worksOr,
} from '../cases/index.ts';
import type { DefineGroup, Scene } from '../cases/index.ts';
import { imageOf, indexOf, pushContent, pushImage, randomBlob } from '../content/index.ts';

/** A time with a pause on both sides, so that calls before and after it have different times. */
async function aMoment(): Promise<Date> {
  await pause(15);
  const moment = new Date();
  await pause(15);
  return moment;
}

const later = (): Date => new Date(Date.now() + 60_000);
const earlier = (): Date => new Date(Date.now() - 60_000);

/** The cases for `Maintenance.removeUnused` and `lease`. */
export const removingUnused: DefineGroup = group('Maintenance removes', ['writing', 'maintenance'], (test) => {
  test('a blob that was not used since', async (scene) => {
    const { registry, maintenance } = scene;
    const name = scene.repository();
    const [gone, kept] = [randomBlob(), randomBlob()];
    await registry.pushBlob(name, gone.descriptor, gone.bytes);
    await registry.pushBlob(name, kept.descriptor, kept.bytes);
    equal(await removeUnused(scene, name, gone.descriptor.digest, later()), true, 'whether it was removed');
    await assertNoBlob(registry, name, gone.descriptor.digest);
    await assertBlob(registry, name, kept.descriptor, kept.bytes);
    equal(await maintenance.verify(name, gone.descriptor.digest), 'missing', 'the removed blob');
  });

  test('a blob in one repository, and keeps it in others', async (scene) => {
    const { registry } = scene;
    const [a, b] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(a, descriptor, bytes);
    await registry.mountBlob(a, b, descriptor.digest);
    equal(await removeUnused(scene, a, descriptor.digest, later()), true, 'whether it was removed');
    await assertNoRepository(scene, a, descriptor.digest);
    await assertBlob(registry, b, descriptor, bytes);
  });

  test('a manifest without a tag', async (scene) => {
    const name = scene.repository();
    const image = await pushImage(scene.registry, name);
    equal(await removeUnused(scene, name, image.descriptor.digest, later()), true, 'whether it was removed');
    await assertNoManifest(scene.registry, name, image.descriptor.digest);
  });

  test('no manifest with a tag', async (scene) => {
    const name = scene.repository();
    const image = await pushImage(scene.registry, name, { tags: ['v1'] });
    equal(await removeUnused(scene, name, image.descriptor.digest, later()), false, 'whether it was removed');
    await assertManifest(scene.registry, name, image, 'v1');
  });

  test('nothing that was used since', async (scene) => {
    const name = scene.repository();
    const image = await pushImage(scene.registry, name);
    equal(await removeUnused(scene, name, image.descriptor.digest, earlier()), false, 'whether the manifest was');
    for (const { descriptor } of image.blobs) {
      equal(await removeUnused(scene, name, descriptor.digest, earlier()), false, 'whether a blob was');
    }
    await assertManifest(scene.registry, name, image);
  });

  test('nothing that is missing', async (scene) => {
    const name = scene.repository();
    const { digest } = randomBlob().descriptor;
    equal(await removeUnused(scene, name, digest, later()), false, 'whether it was removed from an unknown repository');
    await pushImage(scene.registry, name);
    equal(await removeUnused(scene, name, digest, later()), false, 'whether it was removed');
  });

  const blob = randomBlob(500);
  const uses: readonly [use: string, of: (scene: Scene, name: string, from: string) => Promise<unknown>][] = [
    ['HEAD', ({ registry }, name) => registry.resolveBlob(name, blob.descriptor.digest)],
    ['a push', ({ registry }, name) => registry.pushBlob(name, blob.descriptor, blob.bytes)],
    [
      'an upload',
      async ({ registry }, name) =>
        (await registry.startUpload(name)).commit(blob.descriptor.digest, { source: blob.bytes }),
    ],
    ['a mount', ({ registry }, name, from) => registry.mountBlob(from, name, blob.descriptor.digest)],
    ['a push of a manifest that names it', ({ registry }, name) => pushNaming(registry, name)],
  ];
  const pushNaming = async (registry: Scene['registry'], name: string): Promise<void> => {
    const image = imageOf({ layers: [{ ...blob.descriptor }] });
    await pushContent(registry, name, image);
  };
  for (const [use, of] of uses) {
    test(`no blob that was used since by ${use}`, async (scene) => {
      const [name, from] = [scene.repository(), scene.repository()];
      const { digest } = blob.descriptor;
      await scene.registry.pushBlob(name, blob.descriptor, blob.bytes);
      await scene.registry.pushBlob(from, blob.descriptor, blob.bytes);
      const moment = await aMoment();
      await of(scene, name, from);
      equal(await removeUnused(scene, name, digest, moment), false, `whether it was removed after ${use}`);
      await assertBlob(scene.registry, name, blob.descriptor, blob.bytes);
    });
  }

  const manifestUses: readonly [use: string, of: (scene: Scene, name: string, digest: Digest) => Promise<unknown>][] = [
    ['HEAD', ({ registry }, name, digest) => registry.resolveManifest(name, digest)],
    [
      'a push of an index that names it',
      async ({ registry }, name, digest) => {
        const { mediaType, size } = await registry.resolveManifest(name, digest);
        await pushContent(registry, name, indexOf([{ mediaType, digest, size }]));
      },
    ],
  ];
  for (const [use, of] of manifestUses) {
    test(`no manifest that was used since by ${use}`, async (scene) => {
      const name = scene.repository();
      const { descriptor } = await pushImage(scene.registry, name);
      const moment = await aMoment();
      await of(scene, name, descriptor.digest);
      equal(await removeUnused(scene, name, descriptor.digest, moment), false, `whether it was removed after ${use}`);
    });
  }

  test('only content whose last use is before the given time', async (scene) => {
    const name = scene.repository();
    const [used, unused] = [randomBlob(), randomBlob()];
    for (const { descriptor, bytes } of [used, unused]) await scene.registry.pushBlob(name, descriptor, bytes);
    const moment = await aMoment();
    await scene.registry.resolveBlob(name, used.descriptor.digest);
    equal(
      await removeUnused(scene, name, unused.descriptor.digest, moment),
      true,
      'whether the unused one was removed',
    );
    equal(await removeUnused(scene, name, used.descriptor.digest, moment), false, 'whether the used one was removed');
  });

  test('nothing that is leased, until the last lease ends', async (scene) => {
    const { registry, maintenance } = scene;
    const name = scene.repository();
    const image = imageOf();
    const digests = [image, ...image.blobs].map(({ descriptor }) => descriptor.digest);
    // A lease may name content that does not exist yet.
    const leases = [await maintenance.lease(name, digests), await maintenance.lease(name, digests)];
    await pushContent(registry, name, image);
    for (const lease of leases) {
      for (const digest of digests) {
        equal(await removeUnused(scene, name, digest, later()), false, 'whether something leased was removed');
      }
      await lease[Symbol.asyncDispose]();
      await lease[Symbol.asyncDispose]();
    }
    for (const digest of digests)
      equal(await removeUnused(scene, name, digest, later()), true, 'whether it was removed');
    await assertNoRepository(scene, name, image.descriptor.digest);
  });

  test('leased content in other repositories, and other content in this one', async (scene) => {
    const { registry, maintenance } = scene;
    const [a, b] = [scene.repository(), scene.repository()];
    const [leased, other] = [randomBlob(), randomBlob()];
    for (const name of [a, b]) {
      for (const { descriptor, bytes } of [leased, other]) await registry.pushBlob(name, descriptor, bytes);
    }
    const lease = await maintenance.lease(a, [leased.descriptor.digest]);
    equal(await removeUnused(scene, a, other.descriptor.digest, later()), true, 'whether another blob was removed');
    equal(await removeUnused(scene, b, leased.descriptor.digest, later()), true, 'whether it was removed elsewhere');
    equal(await removeUnused(scene, a, leased.descriptor.digest, later()), false, 'whether the leased one was removed');
    await lease[Symbol.asyncDispose]();
  });

  test('no blob that a concurrent call was told exists', async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const kept = randomBlob(10);
    await registry.pushBlob(name, kept.descriptor, kept.bytes);
    for (let round = 0; round < 5; round++) {
      const { descriptor, bytes } = randomBlob(3000);
      const { digest } = descriptor;
      await registry.pushBlob(name, descriptor, bytes);
      const moment = await aMoment();
      const [told, removed] = await Promise.all([
        worksOr('BLOB_UNKNOWN', registry.resolveBlob(name, digest)),
        removeUnused(scene, name, digest, moment),
      ]);
      holds(
        told !== removed,
        `resolveBlob ${told ? 'found' : 'did not find'} the blob, but it was ${removed ? '' : 'not '}removed`,
      );
      if (told) await assertBlob(registry, name, descriptor, bytes);
      else await assertNoBlob(registry, name, digest);
    }
  });

  test('no blob that is pushed at the same time', async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    for (let round = 0; round < 5; round++) {
      const { descriptor, bytes } = randomBlob(3000);
      await registry.pushBlob(name, descriptor, bytes);
      const moment = await aMoment();
      await Promise.all([
        registry.pushBlob(name, descriptor, bytes),
        removeUnused(scene, name, descriptor.digest, moment),
      ]);
      await assertBlob(registry, name, descriptor, bytes);
    }
  });

  test('no blob of a manifest that is accepted at the same time', ['strict links'], async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    for (let round = 0; round < 5; round++) {
      const image = imageOf();
      for (const { descriptor, bytes } of image.blobs) await registry.pushBlob(name, descriptor, bytes);
      const moment = await aMoment();
      const push = registry.pushManifest(name, image.bytes, image.mediaType);
      const [accepted] = await Promise.all([
        worksOr('MANIFEST_BLOB_UNKNOWN', push),
        ...image.blobs.map(({ descriptor }) => removeUnused(scene, name, descriptor.digest, moment)),
      ]);
      if (!accepted) continue;
      for (const { descriptor, bytes } of image.blobs) await assertBlob(registry, name, descriptor, bytes);
    }
  });
});

function removeUnused({ maintenance }: Scene, name: string, digest: Digest, unusedSince: Date): Promise<boolean> {
  return maintenance.removeUnused(name, digest, { unusedSince });
}

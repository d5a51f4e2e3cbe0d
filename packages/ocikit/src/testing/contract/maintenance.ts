// Cases for Maintenance: its lists, reading, quarantine and verification.
import { collect, maintenanceOf } from '../../model/index.ts';
import {
  algorithms,
  assertBlob,
  assertNoBlob,
  chunkLength,
  equal,
  group,
  holds,
  identityOf,
  pause,
  rejects,
  sameBytes,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { imageOf, indexOf, pushContent, pushImage, randomBlob } from '../content/index.ts';

const later = (): Date => new Date(Date.now() + 60_000);

/** The case for a registry without `Maintenance`. */
export const lacksMaintenance: DefineGroup = group('a registry without Maintenance', ['no maintenance'], (test) => {
  test('says that it has none', async ({ registry }) => {
    equal(maintenanceOf(registry), undefined, 'the Maintenance');
  });
});

/** The cases for the lists and the usage of `Maintenance`. */
export const maintaining: DefineGroup = group('Maintenance lists', ['writing', 'maintenance'], (test) => {
  test('manifests with their tags, sizes and dates', async (scene) => {
    const { registry, maintenance } = scene;
    const name = scene.repository();
    const before = Date.now();
    const [tagged, plain] = [imageOf(), indexOf([], { annotations: { a: 'b' } })];
    await pushContent(registry, name, tagged, { tags: ['b', 'a'] });
    await pushContent(registry, name, plain);
    const found = await collect(maintenance.manifests(name));
    const expected = [
      { ...tagged.descriptor, tags: ['a', 'b'] },
      { ...plain.descriptor, tags: [] },
    ].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
    equal(
      found.map(({ descriptor, tags, size }) => ({ ...identityOf(descriptor), tags: tags.toSorted(), size })),
      expected,
      'the manifests',
    );
    assertDates(found, before);
  });

  test('blobs with their sizes and dates', async (scene) => {
    const { registry, maintenance } = scene;
    const name = scene.repository();
    const before = Date.now();
    const blobs = [randomBlob(10), randomBlob(2000), randomBlob(0), randomBlob(30, { algorithm: 'sha512' })];
    for (const { descriptor, bytes } of blobs) await registry.pushBlob(name, descriptor, bytes);
    const found = await collect(maintenance.blobs(name));
    const expected = blobs.map(({ descriptor: { digest, size } }) => ({ digest, size, ofDescriptor: size }));
    equal(
      found.map(({ descriptor, size }) => ({ digest: descriptor.digest, size, ofDescriptor: descriptor.size })),
      expected.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
      'the blobs',
    );
    assertDates(found, before);
  });

  test('a part of the blobs and manifests', async ({ registry, maintenance, repository }) => {
    const name = repository();
    const blobs = Array.from({ length: 6 }, () => randomBlob(10));
    for (const { descriptor, bytes } of blobs) await registry.pushBlob(name, descriptor, bytes);
    const digests = blobs.map(({ descriptor }) => descriptor.digest).toSorted();
    const [startAfter] = digests;
    for (const [options, expected] of [
      [{ limit: 0 }, []],
      [{ limit: 2 }, digests.slice(0, 2)],
      [{ startAfter }, digests.slice(1)],
      [{ startAfter, limit: 3 }, digests.slice(1, 4)],
    ] as const) {
      const found = await collect(maintenance.blobs(name, options));
      equal(
        found.map(({ descriptor }) => descriptor.digest),
        expected,
        `blobs with ${JSON.stringify(options)}`,
      );
    }
    const indexes = Array.from({ length: 4 }, (_, i) => indexOf([], { annotations: { i: String(i) } }));
    for (const index of indexes) await pushContent(registry, name, index);
    const manifests = indexes.map(({ descriptor }) => descriptor.digest).toSorted();
    const found = await collect(maintenance.manifests(name, { startAfter: manifests[0], limit: 2 }));
    equal(
      found.map(({ descriptor }) => descriptor.digest),
      manifests.slice(1, 3),
      'the manifests',
    );
  });

  test('a blob once, however often it is pushed', async ({ registry, maintenance, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(1000);
    await Promise.all(Array.from({ length: 8 }, () => registry.pushBlob(name, descriptor, bytes)));
    equal((await collect(maintenance.blobs(name))).length, 1, 'the number of listed blobs');
  });

  test('uploads that hold bytes, until they end', async ({ registry, maintenance, repository }) => {
    const name = repository();
    const before = Date.now();
    const [empty, given, kept] = [
      await registry.startUpload(name),
      await registry.startUpload(name),
      await registry.startUpload(name),
    ];
    const sizes = async (): Promise<number[]> =>
      (await collect(maintenance.uploads(name))).map(({ size }) => size).toSorted((a, b) => a - b);
    equal(await sizes(), [], 'the uploads before the first byte');
    const length = chunkLength(given, 100);
    const { descriptor, bytes } = randomBlob(length + 50);
    await given.append(bytes.subarray(0, length));
    await kept.append(bytes);
    equal(await sizes(), [length, length + 50], 'the uploads with bytes');
    const listed = await collect(maintenance.uploads(name));
    assertDates(listed, before);
    for (const { id, size } of listed)
      equal((await registry.resumeUpload(name, id)).size, size, 'an upload of a listed id');
    await given.cancel();
    equal(await sizes(), [length + 50], 'the uploads after one was cancelled');
    await kept.commit(descriptor.digest);
    equal(await sizes(), [], 'the uploads after the other was committed');
    await empty.cancel();
  });

  test('uploads of all repositories, each with its own, even if the repository has no content', async (scene) => {
    const { registry, maintenance } = scene;
    const names = [scene.repository(), scene.repository()];
    const ids: string[] = [];
    for (const name of names) {
      const upload = await registry.startUpload(name);
      await upload.append(randomBlob(chunkLength(upload, 100)).bytes);
      ids.push(upload.id);
    }
    const listed = await collect(maintenance.uploads(undefined));
    for (const [i, name] of names.entries()) {
      equal(listed.find(({ id }) => id === ids[i])?.repository, name, 'the repository of the upload');
      equal(
        (await collect(maintenance.uploads(name))).map(({ repository }) => repository),
        [name],
        'the repository of each listed upload',
      );
      await (await registry.resumeUpload(name, ids[i] ?? '')).cancel();
    }
    const left = await collect(maintenance.uploads(undefined));
    equal(
      left.filter(({ id }) => ids.includes(id)),
      [],
      'the uploads after they were cancelled',
    );
  });

  test('no content of a repository as an orphan', async ({ registry, maintenance, repository }) => {
    const image = await pushImage(registry, repository());
    const digests = new Set([image, ...image.blobs].map(({ descriptor }) => descriptor.digest));
    for await (const { digest } of maintenance.orphans()) {
      holds(!digests.has(digest), `expected no orphan that a repository has, but ${digest} is one`);
      equal(await maintenance.removeOrphan(digest, { unusedSince: new Date(0) }), false, 'whether it was removed');
    }
    for (const digest of digests) {
      equal(await maintenance.removeOrphan(digest, { unusedSince: later() }), false, 'whether it was removed as one');
    }
  });

  test('the size of everything stored, counting each content once', async ({ registry, maintenance, repository }) => {
    const [a, b] = [repository(), repository()];
    const start = await maintenance.usage();
    const blob = randomBlob(5000);
    await registry.pushBlob(a, blob.descriptor, blob.bytes);
    const one = await maintenance.usage();
    equal(one.size - start.size, 5000, 'the size that a blob adds');
    equal(one.repositories - start.repositories, 1, 'the repositories that it adds');
    equal(one.blobs - start.blobs, 1, 'the blobs that it adds');
    await registry.mountBlob(a, b, blob.descriptor.digest);
    const two = await maintenance.usage();
    equal(two.size, one.size, 'the size after mounting it');
    equal(two.repositories - one.repositories, 1, 'the repositories that mounting adds');
    const index = indexOf([], { annotations: { a: 'b' } });
    await pushContent(registry, a, index, { tags: ['v1'] });
    const three = await maintenance.usage();
    equal(three.manifests - two.manifests, 1, 'the manifests that a manifest adds');
    equal(three.size - two.size, index.bytes.length, 'the size that a manifest adds');
    const upload = await registry.startUpload(a);
    await upload.append(randomBlob(chunkLength(upload, 700)).bytes);
    const four = await maintenance.usage();
    equal(four.uploads - three.uploads, 1, 'the uploads that an upload adds');
    equal(four.size - three.size, upload.size, 'the size that an upload adds');
    await upload.cancel();
    equal(await maintenance.usage(), three, 'the usage after the upload was cancelled');
  });
});

/** The cases for `Maintenance.readManifest`. */
export const readingForMaintenance: DefineGroup = group(
  'Maintenance reads a manifest',
  ['writing', 'maintenance'],
  (test) => {
    test('byte for byte, without using it', async ({ registry, maintenance, repository }) => {
      const name = repository();
      const image = await pushImage(registry, name, { tags: ['v1'] });
      const { digest } = image.descriptor;
      const usedAt = async (): Promise<number> =>
        (await collect(maintenance.manifests(name)))[0]?.usedAt.getTime() ?? Number.NaN;
      const before = await usedAt();
      await pause(300);
      const bytes = await maintenance.readManifest(name, digest);
      sameBytes(bytes, image.bytes, 'the manifest');
      bytes.fill(0);
      sameBytes(
        await maintenance.readManifest(name, digest),
        image.bytes,
        'the manifest after a change to what was read',
      );
      // The registry may compute the time from another clock, which differs by milliseconds, or more after a pause.
      const change = (await usedAt()) - before;
      holds(Math.abs(change) < 250, `expected the time of its last use to stay, but it changed by ${change} ms`);
    });

    test('only if it exists and is a manifest', async ({ registry, maintenance, repository }) => {
      const name = repository();
      const { digest } = imageOf().descriptor;
      await rejects(maintenance.readManifest(name, digest), 'NAME_UNKNOWN', 'a manifest of an unknown repository');
      const { descriptor, bytes } = randomBlob();
      await registry.pushBlob(name, descriptor, bytes);
      for (const missing of [digest, descriptor.digest]) {
        await rejects(
          maintenance.readManifest(name, missing),
          'MANIFEST_UNKNOWN',
          'content that is no manifest of the repository',
        );
      }
    });
  },
);

/** The cases for `Maintenance.quarantine`. */
export const quarantining: DefineGroup = group('Maintenance quarantines', ['writing', 'maintenance'], (test) => {
  test('nothing that is intact or missing', async ({ registry, maintenance, repository }) => {
    const name = repository();
    equal(await maintenance.quarantine(name, randomBlob().descriptor.digest), false, 'in an unknown repository');
    const image = await pushImage(registry, name);
    for (const { descriptor } of [image, ...image.blobs]) {
      equal(await maintenance.quarantine(name, descriptor.digest), false, 'whether it was quarantined');
      equal(await maintenance.verify(name, descriptor.digest), 'ok', 'the content');
    }
    equal(await maintenance.quarantine(name, randomBlob().descriptor.digest), false, 'content that was never pushed');
  });

  test('a damaged blob, which can then be pushed again', ['damage'], async (scene) => {
    const { registry, maintenance } = scene;
    const name = scene.repository();
    const blob = randomBlob(1000);
    const { digest } = blob.descriptor;
    const image = await pushContent(registry, name, imageOf({ layers: [blob] }), { tags: ['v1'] });
    await scene.damage(name, digest);
    equal(await maintenance.quarantine(name, digest), true, 'whether it was quarantined');
    equal(await maintenance.verify(name, digest), 'missing', 'the blob then');
    await assertNoBlob(registry, name, digest);
    equal((await registry.resolveTag(name, 'v1')).digest, image.descriptor.digest, 'the tag of the image');
    equal(await maintenance.quarantine(name, digest), false, 'whether it was quarantined once more');
    await registry.pushBlob(name, blob.descriptor, blob.bytes);
    await assertBlob(registry, name, blob.descriptor, blob.bytes);
  });
});

/** The cases for `Maintenance.verify`. */
export const verifying: DefineGroup = group('Maintenance verifies', ['writing', 'maintenance'], (test) => {
  for (const algorithm of algorithms) {
    test(`stored content with a ${algorithm} digest`, async ({ registry, maintenance, repository }) => {
      const name = repository();
      const image = imageOf({ algorithm });
      await pushContent(registry, name, image);
      equal(await maintenance.verify(name, image.descriptor.digest), 'ok', 'a manifest');
      for (const { descriptor } of image.blobs)
        equal(await maintenance.verify(name, descriptor.digest), 'ok', 'a blob');
    });
  }

  test('that content is missing', async ({ registry, maintenance, repository }) => {
    const [name, other] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(other, descriptor, bytes);
    equal(await maintenance.verify(name, descriptor.digest), 'missing', 'in an unknown repository');
    await pushImage(registry, name);
    equal(await maintenance.verify(name, descriptor.digest), 'missing', 'content of another repository');
    equal(await maintenance.verify(name, imageOf().descriptor.digest), 'missing', 'content that was never pushed');
  });

  test('that content is corrupt, and that it was repaired', ['damage'], async (scene) => {
    const { registry, maintenance } = scene;
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(1000);
    await registry.pushBlob(name, descriptor, bytes);
    await scene.damage(name, descriptor.digest);
    equal(await maintenance.verify(name, descriptor.digest), 'corrupt', 'a damaged blob');
    await registry.pushBlob(name, descriptor, bytes);
    equal(await maintenance.verify(name, descriptor.digest), 'ok', 'the blob after it was pushed again');
  });
});

/** The cases for malformed arguments of `Maintenance`. */
export const malformedMaintenance: DefineGroup = group('Maintenance refuses', ['maintenance'], (test) => {
  test('malformed names', async ({ maintenance, traits }) => {
    const { digest } = randomBlob().descriptor;
    // A read-only registry may refuse a change before it checks the arguments.
    const refused = traits.readOnly === true ? (['NAME_INVALID', 'UNSUPPORTED', 'DENIED'] as const) : 'NAME_INVALID';
    for (const name of ['', 'UPPER', '../a', 'a//b']) {
      await rejects(collect(maintenance.manifests(name)), 'NAME_INVALID', `manifests of ${name}`);
      await rejects(collect(maintenance.blobs(name)), 'NAME_INVALID', `blobs of ${name}`);
      await rejects(collect(maintenance.uploads(name)), 'NAME_INVALID', `uploads of ${name}`);
      await rejects(maintenance.verify(name, digest), 'NAME_INVALID', `verify in ${name}`);
      await rejects(maintenance.lease(name, [digest]), refused, `lease in ${name}`);
      await rejects(maintenance.readManifest(name, digest), 'NAME_INVALID', `readManifest in ${name}`);
      await rejects(maintenance.quarantine(name, digest), refused, `quarantine in ${name}`);
      const removal = maintenance.removeUnused(name, digest, { unusedSince: later() });
      await rejects(removal, refused, `removeUnused in ${name}`);
    }
  });

  test('malformed digests', async ({ maintenance, traits, repository }) => {
    const name = repository();
    const refused =
      traits.readOnly === true ? (['DIGEST_INVALID', 'UNSUPPORTED', 'DENIED'] as const) : 'DIGEST_INVALID';
    for (const digest of ['sha256:', 'sha256:../../x', 'md5:00'] as const) {
      await rejects(maintenance.verify(name, digest), 'DIGEST_INVALID', `verify of ${digest}`);
      await rejects(maintenance.lease(name, [digest]), refused, `lease of ${digest}`);
      const removal = maintenance.removeUnused(name, digest, { unusedSince: later() });
      await rejects(removal, refused, `removeUnused of ${digest}`);
      const orphan = maintenance.removeOrphan(digest, { unusedSince: later() });
      await rejects(orphan, refused, `removeOrphan of ${digest}`);
      await rejects(maintenance.quarantine(name, digest), refused, `quarantine of ${digest}`);
    }
  });
});

function assertDates(found: readonly { createdAt: Date; usedAt: Date }[], notBefore: number): void {
  // The registry's clock may have a coarser step than this one.
  const [from, to] = [new Date(notBefore - 2000), new Date(Date.now() + 2000)];
  const span = `between ${from.toISOString()} and ${to.toISOString()}`;
  for (const { createdAt, usedAt } of found) {
    holds(createdAt >= from && createdAt <= to, `expected createdAt ${span}, but it is ${createdAt.toISOString()}`);
    holds(usedAt >= from && usedAt <= to, `expected usedAt ${span}, but it is ${usedAt.toISOString()}`);
  }
}

// Cases for listing referrers.
import { collect, mediaTypes, parseManifest, referrerDescriptor } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';
import { algorithms, equal, firstOf, group, holds, missingDescriptor } from '../cases/index.ts';
import type { DefineGroup, Scene } from '../cases/index.ts';
import { artifactOf, imageOf, indexOf, manifestOf, pushContent, pushImage, randomBlob } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

const [typeA, typeB] = ['application/vnd.example.a', 'application/vnd.example.b'];

/** The descriptor by which the specification lists a manifest, made without the code under test. */
function listedAs(
  { descriptor }: TestManifest,
  more: Pick<Descriptor, 'artifactType' | 'annotations'> = {},
): Descriptor {
  return { ...descriptor, ...more };
}

function inOrder(descriptors: readonly Descriptor[]): Descriptor[] {
  return descriptors.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** An image with referrers: three of type a, two of type b, one without a type. */
async function referred({ origin, repository }: Scene): Promise<{ name: string; subject: Digest; all: Descriptor[] }> {
  const name = repository();
  const image = await pushImage(origin, name);
  const subject = image.descriptor;
  const all: Descriptor[] = [];
  for (const artifactType of [typeA, typeB, typeA, typeB, typeA]) {
    const artifact = artifactOf({ artifactType, subject });
    await pushContent(origin, name, artifact);
    all.push(listedAs(artifact, { artifactType }));
  }
  const index = indexOf([], { subject });
  await pushContent(origin, name, index);
  return { name, subject: subject.digest, all: inOrder([...all, listedAs(index)]) };
}

/** The cases for `referrers`. */
export const listingReferrers: DefineGroup = group('listing referrers', [], (test) => {
  for (const algorithm of algorithms) {
    test(`lists the manifests whose subject is a ${algorithm} manifest`, async ({ registry, origin, repository }) => {
      const name = repository();
      const image = await pushImage(origin, name, { algorithm });
      const artifact = artifactOf({ artifactType: typeA, subject: image.descriptor, algorithm });
      await pushContent(origin, name, artifact);
      const found = await collect(registry.referrers(name, image.descriptor.digest));
      equal(found, [listedAs(artifact, { artifactType: typeA })], 'the referrers');
    });
  }

  const kinds: readonly [what: string, make: (subject: Descriptor) => TestManifest, more: Partial<Descriptor>][] = [
    ['an artifact with its type', (subject) => artifactOf({ artifactType: typeA, subject }), { artifactType: typeA }],
    [
      'an image without a type by the type of its config',
      (subject) => imageOf({ subject }),
      { artifactType: mediaTypes.imageConfig },
    ],
    [
      'an image with an empty type by the type of its config',
      (subject) => imageOf({ subject, artifactType: '', config: randomBlob(10, { mediaType: typeB }) }),
      { artifactType: typeB },
    ],
    ['an index without a type', (subject) => indexOf([], { subject }), {}],
    ['an index with its type', (subject) => indexOf([], { subject, artifactType: typeB }), { artifactType: typeB }],
    [
      'an artifact with its annotations',
      (subject) => artifactOf({ artifactType: typeA, subject, annotations: { 'org.example.key': 'ü', empty: '' } }),
      { artifactType: typeA, annotations: { 'org.example.key': 'ü', empty: '' } },
    ],
    [
      'an index with its annotations',
      (subject) => indexOf([], { subject, annotations: { a: 'b' } }),
      { annotations: { a: 'b' } },
    ],
    [
      'a Docker image',
      (subject) => imageOf({ subject, mediaType: mediaTypes.dockerManifest }),
      { artifactType: mediaTypes.dockerConfig },
    ],
    [
      'a manifest without mediaType in its body',
      (subject) => imageOf({ subject, fields: { mediaType: undefined } }),
      { artifactType: mediaTypes.imageConfig },
    ],
    [
      'an artifact manifest of a release candidate',
      (subject) =>
        manifestOf(
          { mediaType: mediaTypes.artifactManifest, artifactType: typeA, blobs: [], subject, annotations: { a: 'b' } },
          { mediaType: mediaTypes.artifactManifest },
        ),
      { artifactType: typeA, annotations: { a: 'b' } },
    ],
  ];
  for (const [what, make, more] of kinds) {
    test(`lists ${what}`, async ({ registry, origin, repository }) => {
      const name = repository();
      const subject = missingDescriptor(mediaTypes.imageManifest);
      const manifest = make(subject);
      await pushContent(origin, name, manifest);
      equal(await collect(registry.referrers(name, subject.digest)), [listedAs(manifest, more)], 'the referrers');
    });
  }

  test('lists them in byte order of their digests', async (scene) => {
    const { name, subject, all } = await referred(scene);
    equal(await collect(scene.registry.referrers(name, subject)), all, 'the referrers');
  });

  test('lists only those of a type', async (scene) => {
    const { name, subject, all } = await referred(scene);
    for (const artifactType of [typeA, typeB, 'application/vnd.example.none', mediaTypes.empty]) {
      const expected = all.filter((descriptor) => descriptor.artifactType === artifactType);
      equal(
        await collect(scene.registry.referrers(name, subject, { artifactType })),
        expected,
        `those of ${artifactType}`,
      );
    }
  });

  test('lists the referrers strictly after a digest, which need not exist', async (scene) => {
    const { name, subject, all } = await referred(scene);
    for (const { digest } of [...all, missingDescriptor(typeA), missingDescriptor(typeA)]) {
      const expected = all.filter((descriptor) => descriptor.digest > digest);
      equal(
        await collect(scene.registry.referrers(name, subject, { startAfter: digest })),
        expected,
        `after ${digest}`,
      );
    }
  });

  test('lists at most the number asked for, of all types or of one', async (scene) => {
    const { name, subject, all } = await referred(scene);
    const { registry } = scene;
    for (const limit of [0, 1, 5, 6, 7]) {
      equal(await collect(registry.referrers(name, subject, { limit })), all.slice(0, limit), `at most ${limit}`);
      const ofType = all.filter(({ artifactType }) => artifactType === typeA).slice(0, limit);
      const options = { limit, artifactType: typeA };
      equal(await collect(registry.referrers(name, subject, options)), ofType, `at most ${limit} of a type`);
    }
  });

  test('can be stopped in the middle', async (scene) => {
    const { name, subject, all } = await referred(scene);
    equal(await firstOf(scene.registry.referrers(name, subject)), all[0], 'the first referrer');
  });

  test('lists none for an unknown repository or manifest', async ({ registry, origin, repository }) => {
    const { digest } = imageOf().descriptor;
    equal(await collect(registry.referrers(repository(), digest)), [], 'the referrers in an unknown repository');
    const name = repository();
    const image = await pushImage(origin, name);
    equal(await collect(registry.referrers(name, digest)), [], 'the referrers of an unknown manifest');
    equal(
      await collect(registry.referrers(name, image.descriptor.digest)),
      [],
      'the referrers of a manifest without any',
    );
    equal(await collect(registry.referrers(name, digest, { artifactType: typeA })), [], 'those of a type');
  });

  test('does not create a repository', async (scene) => {
    await collect(scene.registry.referrers(scene.repository(), imageOf().descriptor.digest));
    equal(await scene.listed(), [], 'the repositories');
  });

  test('lists referrers of a subject that is pushed later, or never', async ({ registry, origin, repository }) => {
    const name = repository();
    const image = imageOf();
    const artifact = artifactOf({ artifactType: typeA, subject: image.descriptor });
    await pushContent(origin, name, artifact);
    const expected = [listedAs(artifact, { artifactType: typeA })];
    equal(await collect(registry.referrers(name, image.descriptor.digest)), expected, 'before');
    await pushContent(origin, name, image);
    equal(await collect(registry.referrers(name, image.descriptor.digest)), expected, 'after');
  });

  test('lists referrers of referrers at their subject only', async ({ registry, origin, repository }) => {
    const name = repository();
    const image = await pushImage(origin, name);
    const list = artifactOf({ artifactType: typeA, subject: image.descriptor });
    const signature = artifactOf({ artifactType: typeB, subject: list.descriptor });
    await pushContent(origin, name, list);
    await pushContent(origin, name, signature);
    const digestsOf = async (digest: Digest): Promise<Digest[]> =>
      (await collect(registry.referrers(name, digest))).map((descriptor) => descriptor.digest);
    equal(await digestsOf(image.descriptor.digest), [list.descriptor.digest], 'those of the image');
    equal(await digestsOf(list.descriptor.digest), [signature.descriptor.digest], 'those of the referrer');
  });

  test('lists them in their repository only', async ({ registry, origin, repository }) => {
    const [has, other] = [repository(), repository()];
    const image = imageOf();
    await pushContent(origin, has, image);
    await pushContent(origin, other, image);
    await pushContent(origin, has, artifactOf({ artifactType: typeA, subject: image.descriptor }));
    equal(await collect(registry.referrers(other, image.descriptor.digest)), [], 'the referrers in the other');
  });

  test('lists a manifest once, even if it is pushed again with tags', async (scene) => {
    const { registry, origin } = scene;
    const name = scene.repository();
    const image = await pushImage(origin, name);
    const artifact = artifactOf({ artifactType: typeA, subject: image.descriptor });
    await pushContent(origin, name, artifact);
    await pushContent(origin, name, artifact, { tags: ['a', 'b'] });
    equal(
      (await collect(registry.referrers(name, image.descriptor.digest))).length,
      1,
      'the number of listed referrers',
    );
  });

  test('lists more than fit on any page', async ({ registry, origin, repository }) => {
    const name = repository();
    const subject = missingDescriptor(mediaTypes.imageManifest);
    const all = Array.from({ length: 60 }, (_, i) =>
      indexOf([], { subject, annotations: { i: String(i), pad: 'x'.repeat(500) } }),
    );
    for (const index of all) await pushContent(origin, name, index);
    const digests = all.map(({ descriptor }) => descriptor.digest).toSorted();
    const found = await collect(registry.referrers(name, subject.digest));
    equal(
      found.map(({ digest }) => digest),
      digests,
      'all referrers',
    );
  });

  test('agrees with referrerDescriptor', async ({ registry, origin, repository }) => {
    const name = repository();
    const subject = missingDescriptor(mediaTypes.imageManifest);
    const manifest = imageOf({ subject, annotations: { a: 'b' } });
    await pushContent(origin, name, manifest);
    const expected = referrerDescriptor(parseManifest(manifest.bytes, manifest.mediaType), manifest.descriptor);
    equal(await collect(registry.referrers(name, subject.digest)), [expected], 'the referrers');
    holds(
      expected.artifactType === mediaTypes.imageConfig,
      `expected the type of the config, but referrerDescriptor gives ${expected.artifactType}`,
    );
  });
});

/** The cases for `referrers` after deletions. */
export const changingReferrers: DefineGroup = group('listing referrers after a deletion', ['writing'], (test) => {
  test('no longer includes the deleted manifest', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    const subject = image.descriptor;
    const gone = artifactOf({ artifactType: typeA, subject });
    const kept = artifactOf({ artifactType: typeB, subject });
    await pushContent(registry, name, gone);
    await pushContent(registry, name, kept);
    await registry.deleteManifest(name, gone.descriptor.digest);
    const { digest } = subject;
    equal(await collect(registry.referrers(name, digest)), [listedAs(kept, { artifactType: typeB })], 'the referrers');
    await registry.deleteManifest(name, kept.descriptor.digest);
    equal(await collect(registry.referrers(name, digest)), [], 'the referrers at the end');
    await pushContent(registry, name, gone);
    equal(
      (await collect(registry.referrers(name, digest))).length,
      1,
      'the number of listed referrers after one was pushed again',
    );
  });

  test('still includes the referrers of the deleted manifest', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    const artifact = artifactOf({ artifactType: typeA, subject: image.descriptor });
    await pushContent(registry, name, artifact);
    await registry.deleteManifest(name, image.descriptor.digest);
    const found = await collect(registry.referrers(name, image.descriptor.digest));
    equal(found, [listedAs(artifact, { artifactType: typeA })], 'the referrers');
  });

  test('still includes a manifest whose tag was deleted', ['deletable tags'], async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    await pushContent(registry, name, artifactOf({ artifactType: typeA, subject: image.descriptor }), {
      tags: ['sig'],
    });
    await registry.deleteTag(name, 'sig');
    equal(
      (await collect(registry.referrers(name, image.descriptor.digest))).length,
      1,
      'the number of listed referrers',
    );
  });
});

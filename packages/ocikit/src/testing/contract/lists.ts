// Cases for listing tags and repositories: order, pages and limits.
import { collect } from '../../model/index.ts';
import { equal, firstOf, group, holds, rejects } from '../cases/index.ts';
import type { DefineGroup, Scene } from '../cases/index.ts';
import { imageOf, indexOf, pushContent, pushImage } from '../content/index.ts';

/** In byte order: `-` and `.`, digits, capital letters, `_`, small letters. */
const tagsInOrder: readonly string[] = '0 1 10 2 A Ab B Z _ _a a a-b a.b a0 aB a_b ab b latest z'.split(' ');

async function tagged({ origin, repository }: Scene): Promise<string> {
  const name = repository();
  const tags = tagsInOrder.toReversed();
  await pushContent(origin, name, imageOf(), { tags: tags.slice(0, 8) });
  await pushContent(origin, name, imageOf(), { tags: tags.slice(8) });
  return name;
}

/** The cases for `tags`. */
export const listingTags: DefineGroup = group('listing tags', [], (test) => {
  test('lists them in byte order: capital letters first', async (scene) => {
    const name = await tagged(scene);
    equal(await collect(scene.registry.tags(name)), tagsInOrder, 'the tags');
  });

  test('lists the tags strictly after a tag, which need not exist', async (scene) => {
    const name = await tagged(scene);
    for (const startAfter of [
      '0',
      '00',
      '9',
      'A',
      'AA',
      'a',
      'a-',
      'a-b',
      'a-b0',
      'a.z',
      '_',
      'Zz',
      'latest',
      'y',
      'z',
      'zz',
    ]) {
      const expected = tagsInOrder.filter((tag) => tag > startAfter);
      equal(await collect(scene.registry.tags(name, { startAfter })), expected, `the tags after ${startAfter}`);
    }
  });

  test('lists at most the number asked for', async (scene) => {
    const name = await tagged(scene);
    for (const limit of [0, 1, 2, tagsInOrder.length - 1, tagsInOrder.length, tagsInOrder.length + 1, 10_000]) {
      equal(await collect(scene.registry.tags(name, { limit })), tagsInOrder.slice(0, limit), `at most ${limit}`);
    }
  });

  test('lists at most the number asked for after a tag', async (scene) => {
    const name = await tagged(scene);
    for (const [startAfter, limit] of [
      ['a', 3],
      ['a-', 1],
      ['A', 0],
      ['z', 5],
      ['latest', 5],
    ] as const) {
      const expected = tagsInOrder.filter((tag) => tag > startAfter).slice(0, limit);
      equal(await collect(scene.registry.tags(name, { startAfter, limit })), expected, `${limit} after ${startAfter}`);
    }
  });

  test('lists them page by page without gap and without repetition', async (scene) => {
    const name = await tagged(scene);
    const found: string[] = [];
    for (;;) {
      const startAfter = found.at(-1);
      const page = await collect(
        scene.registry.tags(name, { limit: 4, ...(startAfter === undefined ? {} : { startAfter }) }),
      );
      if (page.length === 0) break;
      found.push(...page);
      holds(found.length <= tagsInOrder.length, 'expected the pages to end, but they repeat tags');
    }
    equal(found, tagsInOrder, 'all pages');
  });

  test('lists more than fit on any page', async ({ registry, origin, repository }) => {
    const name = repository();
    const all = Array.from({ length: 250 }, (_, i) => `v${String(i).padStart(4, '0')}`);
    const image = imageOf();
    await pushContent(origin, name, image);
    for (let i = 0; i < all.length; i += 10) {
      await origin.pushManifest(name, image.bytes, image.mediaType, { tags: all.slice(i, i + 10) });
    }
    equal(await collect(registry.tags(name)), all, 'all tags');
    equal(await collect(registry.tags(name, { startAfter: 'v0099', limit: 120 })), all.slice(100, 220), 'some of them');
  });

  test('can be stopped in the middle', async (scene) => {
    const name = await tagged(scene);
    equal(await firstOf(scene.registry.tags(name)), tagsInOrder[0], 'the first tag');
    equal(await collect(scene.registry.tags(name)), tagsInOrder, 'all tags, afterwards');
  });

  test('lists none for a repository without tags', async ({ registry, origin, repository }) => {
    const name = repository();
    await pushImage(origin, name);
    equal(await collect(registry.tags(name)), [], 'the tags');
  });

  test('rejects for an unknown repository', async ({ registry, repository }) => {
    await rejects(collect(registry.tags(repository())), 'NAME_UNKNOWN');
    await rejects(
      collect(registry.tags(repository(), { startAfter: 'a', limit: 1 })),
      'NAME_UNKNOWN',
      'a part of them',
    );
  });
});

/** Names that a walk through directories puts in the wrong order: `/` comes after `-` and `.`, and before digits. */
const suffixesInOrder = ['a', 'a-b', 'a--b', 'a.b', 'a/a', 'a/b', 'a0', 'a_b', 'a__b', 'aa', 'b', 'b/a'].toSorted();

async function filled({ origin, repository }: Scene): Promise<string[]> {
  const index = indexOf([]);
  for (const suffix of suffixesInOrder.toReversed())
    await pushContent(origin, repository(suffix), index, { tags: ['v1'] });
  return suffixesInOrder.map((suffix) => repository(suffix));
}

/** The cases for `repositories`. */
export const listingRepositories: DefineGroup = group('listing repositories', [], (test) => {
  test('lists them in byte order, with those below another one', async (scene) => {
    const names = await filled(scene);
    equal(await scene.listed(), names, 'the repositories');
  });

  test('lists the repositories strictly after a name, which need not exist', async (scene) => {
    const names = await filled(scene);
    for (const suffix of ['a', 'a-a', 'a-b', 'a-c', 'a/a', 'a/ab', 'a/z', 'a0', 'a1', 'b']) {
      const startAfter = scene.repository(suffix);
      const expected = names.filter((name) => name > startAfter).slice(0, 3);
      const limit = expected.length;
      equal(
        await collect(scene.registry.repositories({ startAfter, limit })),
        expected,
        `the repositories after ${suffix}`,
      );
    }
  });

  test('lists at most the number asked for', async (scene) => {
    const names = await filled(scene);
    const first = names[0] ?? '';
    for (const limit of [0, 1, 5]) {
      const found = await collect(scene.registry.repositories({ startAfter: first, limit }));
      equal(found, names.slice(1, 1 + limit), `at most ${limit}`);
    }
  });

  test('can be stopped in the middle', async (scene) => {
    const names = await filled(scene);
    equal(await firstOf(scene.registry.repositories({ startAfter: names[0] })), names[1], 'one repository');
    equal(await scene.listed(), names, 'all repositories, afterwards');
  });

  test('keeps repositories apart if their names look like addresses', ['writing'], async ({ registry, repository }) => {
    const suffixes = [
      'x',
      'x/blobs/uploads',
      'x/blobs/sha256',
      'x/manifests',
      'x/manifests/latest',
      'x/tags/list',
      'x/referrers',
      'x/index.json',
      'x/oci-layout',
      'v2/x',
      'x/v2',
      'x/uploads/0',
    ];
    const images = new Map(suffixes.map((suffix) => [suffix, imageOf()]));
    for (const [suffix, image] of images) {
      const upload = await registry.startUpload(repository(suffix));
      for (const [i, { descriptor, bytes }] of image.blobs.entries()) {
        if (i === 0) await upload.commit(descriptor.digest, { source: bytes });
        else await registry.pushBlob(repository(suffix), descriptor, bytes);
      }
      await registry.pushManifest(repository(suffix), image.bytes, image.mediaType, { tags: ['latest'] });
    }
    for (const [suffix, image] of images) {
      equal((await registry.getTag(repository(suffix), 'latest')).descriptor.digest, image.descriptor.digest, suffix);
      equal(await collect(registry.tags(repository(suffix))), ['latest'], `the tags of ${suffix}`);
      equal(await collect(registry.referrers(repository(suffix), image.descriptor.digest)), [], 'its referrers');
    }
  });
});

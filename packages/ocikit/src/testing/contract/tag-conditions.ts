// Cases for setting, moving and deleting tags on a condition.
import type { Digest, PushedManifest, Registry, TagCondition } from '../../model/index.ts';
import {
  assertManifest,
  assertNoManifest,
  assertNoRepository,
  assertNoTag,
  equal,
  group,
  holds,
  pushParts,
  rejects,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { imageOf, indexOf, pushContent, pushImage } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

function pushIf(
  registry: Registry,
  name: string,
  image: TestManifest,
  ifTag: TagCondition,
  ...tags: string[]
): Promise<PushedManifest> {
  const { digest } = image.descriptor;
  return registry.pushManifest(name, image.bytes, image.mediaType, { digest, tags, ifTag });
}

/** The cases for `ifTag`. */
export const tagConditions: DefineGroup = group('changing tags on a condition', ['writing', 'ifTag'], (test) => {
  test('sets a tag only if it does not exist', async ({ registry, repository }) => {
    const name = repository();
    const [first, second] = [imageOf(), imageOf()];
    await pushParts(registry, name, first);
    await pushParts(registry, name, second);
    const pushed = await pushIf(registry, name, first, null, 'v1');
    equal(pushed.tags, ['v1'], 'the tags that pushManifest returns');
    await rejects(pushIf(registry, name, second, null, 'v1'), 'PRECONDITION_FAILED');
    await assertManifest(registry, name, first, 'v1');
    await assertNoManifest(registry, name, second.descriptor.digest);
  });

  test('moves a tag only if it is at the given digest', ['movable tags'], async ({ registry, repository }) => {
    const name = repository();
    const [first, second, third] = [imageOf(), imageOf(), imageOf()];
    await pushContent(registry, name, first, { tags: ['v1'] });
    await pushParts(registry, name, second);
    await pushParts(registry, name, third);
    const { digest } = first.descriptor;
    await pushIf(registry, name, second, digest, 'v1');
    await assertManifest(registry, name, second, 'v1');
    await rejects(pushIf(registry, name, third, digest, 'v1'), 'PRECONDITION_FAILED');
    await assertManifest(registry, name, second, 'v1');
    await assertNoManifest(registry, name, third.descriptor.digest);
  });

  test(
    'moves a tag from a sha512 manifest only if it is at the given digest',
    ['movable tags'],
    async ({ registry, repository }) => {
      const name = repository();
      const [first, second] = [imageOf({ algorithm: 'sha512' }), imageOf()];
      await pushContent(registry, name, first, { tags: ['v1'] });
      await pushParts(registry, name, second);
      const elsewhere = imageOf({ algorithm: 'sha512' }).descriptor.digest;
      await rejects(pushIf(registry, name, second, elsewhere, 'v1'), 'PRECONDITION_FAILED');
      await assertManifest(registry, name, first, 'v1');
      await pushIf(registry, name, second, first.descriptor.digest, 'v1');
      await assertManifest(registry, name, second, 'v1');
    },
  );

  test('sets a tag on a sha512 manifest only if it does not exist', async ({ registry, repository }) => {
    const name = repository();
    const [first, second] = [imageOf({ algorithm: 'sha512' }), imageOf({ algorithm: 'sha512' })];
    await pushParts(registry, name, first);
    await pushParts(registry, name, second);
    await pushIf(registry, name, first, null, 'v1');
    await rejects(pushIf(registry, name, second, null, 'v1'), 'PRECONDITION_FAILED');
    await assertManifest(registry, name, first, 'v1');
    await assertNoManifest(registry, name, second.descriptor.digest);
  });

  test('refuses to move a tag that does not exist', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name);
    const { digest } = image.descriptor;
    await rejects(pushIf(registry, name, image, digest, 'v1'), 'PRECONDITION_FAILED', 'with a manifest that exists');
    await assertNoTag(registry, name, 'v1');
  });

  test('does not create the repository if the condition does not hold', async (scene) => {
    const name = scene.repository();
    const index = indexOf([]);
    const { digest } = index.descriptor;
    await rejects(pushIf(scene.registry, name, index, digest, 'v1'), 'PRECONDITION_FAILED');
    await assertNoRepository(scene, name, digest);
  });

  test(
    'sets several tags only if all of them are at the digest',
    ['movable tags'],
    async ({ registry, repository }) => {
      const name = repository();
      const first = await pushImage(registry, name, { tags: ['a', 'b'] });
      const other = await pushImage(registry, name, { tags: ['c'] });
      const next = imageOf();
      await pushParts(registry, name, next);
      const { digest } = first.descriptor;
      for (const tags of [
        ['a', 'c'],
        ['c', 'a'],
        ['a', 'b', 'missing'],
        ['missing', 'a', 'b'],
      ]) {
        await rejects(pushIf(registry, name, next, digest, ...tags), 'PRECONDITION_FAILED', tags.join(', '));
      }
      await assertManifest(registry, name, first, 'a', 'b');
      await assertManifest(registry, name, other, 'c');
      await assertNoTag(registry, name, 'missing');
      await assertNoManifest(registry, name, next.descriptor.digest);
      await pushIf(registry, name, next, digest, 'a', 'b');
      await assertManifest(registry, name, next, 'a', 'b');
    },
  );

  test('sets several tags only if none of them exists', async ({ registry, repository }) => {
    const name = repository();
    const first = await pushImage(registry, name, { tags: ['a'] });
    const next = imageOf();
    await pushParts(registry, name, next);
    for (const tags of [
      ['a', 'b'],
      ['b', 'c', 'a'],
    ]) {
      await rejects(pushIf(registry, name, next, null, ...tags), 'PRECONDITION_FAILED', tags.join(', '));
    }
    await assertManifest(registry, name, first, 'a');
    await assertNoTag(registry, name, 'b');
    await pushIf(registry, name, next, null, 'b', 'c');
    await assertManifest(registry, name, next, 'b', 'c');
  });

  test('sets several tags only if each of them is at its own digest', ['movable tags'], async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const first = await pushImage(registry, name, { tags: ['a', 'free'] });
    const other = await pushImage(registry, name, { tags: ['b'] });
    const next = imageOf();
    await pushParts(registry, name, next);
    const [a, b] = [first.descriptor.digest, other.descriptor.digest];
    for (const [what, condition] of [
      ['the digests are exchanged', { a: b, b: a }],
      ['one tag has moved', { a, b: a }],
      ['one tag exists', { a, b: null }],
      ['one tag does not exist', { a, b, fresh: a }],
    ] as const) {
      const wrong = new Map<string, Digest | null>(Object.entries(condition));
      await rejects(pushIf(registry, name, next, wrong, 'a', 'b', 'fresh', 'free'), 'PRECONDITION_FAILED', what);
    }
    await assertManifest(registry, name, first, 'a', 'free');
    await assertManifest(registry, name, other, 'b');
    await assertNoTag(registry, name, 'fresh');
    await assertNoManifest(registry, name, next.descriptor.digest);
    const right = new Map<string, Digest | null>([
      ['a', a],
      ['b', b],
      ['fresh', null],
      // The push does not set this one.
      ['elsewhere', a],
    ]);
    const pushed = await pushIf(registry, name, next, right, 'a', 'b', 'fresh', 'free');
    equal(pushed.tags, ['a', 'b', 'fresh', 'free'], 'the tags that pushManifest returns');
    await assertManifest(registry, name, next, 'a', 'b', 'fresh', 'free');
  });

  test('checks the condition even if the tag is at the manifest already', async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name, { tags: ['v1'] });
    await rejects(pushIf(registry, name, image, null, 'v1'), 'PRECONDITION_FAILED', 'only if it does not exist');
    const { digest } = imageOf().descriptor;
    await rejects(pushIf(registry, name, image, digest, 'v1'), 'PRECONDITION_FAILED', 'only if it is elsewhere');
    await pushIf(registry, name, image, image.descriptor.digest, 'v1');
    await assertManifest(registry, name, image, 'v1');
  });

  test('deletes a tag only if it is at the digest', ['deletable tags'], async ({ registry, repository }) => {
    const name = repository();
    const image = await pushImage(registry, name, { tags: ['v1'] });
    const other = await pushImage(registry, name);
    await rejects(registry.deleteTag(name, 'v1', { ifTag: other.descriptor.digest }), 'PRECONDITION_FAILED');
    await assertManifest(registry, name, image, 'v1');
    await registry.deleteTag(name, 'v1', { ifTag: image.descriptor.digest });
    await assertNoTag(registry, name, 'v1');
    await rejects(registry.deleteTag(name, 'v1', { ifTag: image.descriptor.digest }), [
      'MANIFEST_UNKNOWN',
      'PRECONDITION_FAILED',
    ]);
  });

  for (const [what, exists] of [
    ['that does not exist', false],
    ['from one digest', true],
  ] as const) {
    const needs = exists ? (['movable tags'] as const) : [];
    test(`lets exactly one of many concurrent pushes win that set a tag ${what}`, needs, async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const before = exists ? await pushImage(registry, name, { tags: ['v1'] }) : undefined;
      const images = Array.from({ length: 12 }, () => imageOf());
      await Promise.all(images.map((image) => pushParts(registry, name, image)));
      const ifTag = before?.descriptor.digest ?? null;
      const results = await Promise.allSettled(images.map((image) => pushIf(registry, name, image, ifTag, 'v1')));
      const winners = images.filter((_image, i) => results[i]?.status === 'fulfilled');
      equal(winners.length, 1, 'the number of pushes that won');
      for (const [i, result] of results.entries()) {
        if (result.status === 'rejected') {
          await rejects(Promise.reject(result.reason), 'PRECONDITION_FAILED', `pusher ${i}`);
        }
      }
      for (const winner of winners) await assertManifest(registry, name, winner, 'v1');
    });
  }

  test('loses no update if concurrent callers each try again', ['movable tags'], async ({ registry, repository }) => {
    const name = repository();
    const start = await pushImage(registry, name, { tags: ['log'], annotations: { entries: '' } });
    const append = async (entry: string): Promise<void> => {
      for (let attempt = 0; attempt < 100; attempt++) {
        const { descriptor, bytes } = await registry.getTag(name, 'log');
        const entries = entriesIn(bytes);
        const next = { ...start, ...imageOf({ layers: [], annotations: { entries: [...entries, entry].join(' ') } }) };
        await pushParts(registry, name, next);
        try {
          await pushIf(registry, name, next, descriptor.digest, 'log');
          return;
        } catch (error) {
          await rejects(Promise.reject(error), 'PRECONDITION_FAILED', 'an update');
        }
      }
      holds(false, `${entry} was not appended in 100 attempts`);
    };
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(names.map(append));
    const { bytes } = await registry.getTag(name, 'log');
    equal(entriesIn(bytes).toSorted(), names, 'the entries');
  });
});

function entriesIn(bytes: Uint8Array): string[] {
  // This file made the manifest, so its shape is known.
  const { annotations } = JSON.parse(new TextDecoder().decode(bytes)) as { annotations: { entries: string } };
  return annotations.entries.split(' ').filter((entry) => entry !== '');
}

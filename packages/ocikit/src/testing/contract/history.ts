// Cases for the history of tags.
import { collect, historyOf, identityOf } from '../../model/index.ts';
import type { Registry, TagMove } from '../../model/index.ts';
import { equal, group, holds } from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { imageOf, pushContent } from '../content/index.ts';

type Step = Omit<TagMove, 'at'>;

/** The moves that the registry lists, newest first, without their times. */
async function movesOf(
  registry: Registry,
  repository: string,
  options?: { tag?: string; limit?: number },
): Promise<Step[]> {
  const found = historyOf(registry);
  holds(
    found !== undefined,
    "expected a History, but the registry has none: set keepsHistory to false, if that's right",
  );
  return (await collect(found?.moves(repository, options) ?? none())).map(({ at: _at, ...step }) => step);
}

async function* none(): AsyncGenerator<never, void, undefined> {
  // Stands for the moves of a registry without History.
}

/** The cases for `History`. */
export const moving: DefineGroup = group(
  'History lists',
  ['writing', 'history', 'movable tags', 'deletable tags'],
  (test) => {
    test('every move of a tag, newest first, with its time', async ({ registry, repository }) => {
      const name = repository();
      const before = Date.now();
      const [first, second] = [imageOf(), imageOf()];
      const [a, b] = [first.descriptor.digest, second.descriptor.digest];
      await pushContent(registry, name, first, { tags: ['v1', 'latest'] });
      await pushContent(registry, name, second, { tags: ['latest'] });
      await registry.deleteTag(name, 'latest');
      const expected = [
        { tag: 'latest', digest: undefined, previous: b },
        { tag: 'latest', digest: b, previous: a },
        { tag: 'latest', digest: a, previous: undefined },
        { tag: 'v1', digest: a, previous: undefined },
      ];
      equal(await movesOf(registry, name), expected, 'the moves');
      equal(await movesOf(registry, name, { tag: 'v1' }), expected.slice(3), 'the moves of v1');
      equal(await movesOf(registry, name, { limit: 2 }), expected.slice(0, 2), 'the last two moves');
      equal(
        await movesOf(registry, name, { tag: 'latest', limit: 1 }),
        expected.slice(0, 1),
        'the last move of latest',
      );
      equal(await movesOf(registry, name, { limit: 0 }), [], 'none of them');
      const times = (await collect(historyOf(registry)?.moves(name) ?? none())).map(({ at }) => at.getTime());
      holds(
        times.every((time) => time >= before && time <= Date.now()),
        `expected times from ${before} on and not in the future, but they are ${times.join(', ')}`,
      );
    });

    test('no move for a tag that stays', async ({ registry, repository }) => {
      const name = repository();
      const image = imageOf();
      await pushContent(registry, name, image, { tags: ['v1'] });
      await registry.pushManifest(name, image.bytes, image.mediaType, { tags: ['v1', 'v1'] });
      await registry.pushManifest(name, image.bytes, image.mediaType);
      equal((await movesOf(registry, name)).length, 1, 'the number of moves');
    });

    test('the tags that are deleted with their manifest', async ({ registry, repository }) => {
      const name = repository();
      const [image, other] = [imageOf(), imageOf()];
      const { digest } = image.descriptor;
      await pushContent(registry, name, image, { tags: ['a', 'b'] });
      await pushContent(registry, name, other, { tags: ['b'] });
      await registry.deleteManifest(name, digest);
      const [last, ...earlier] = await movesOf(registry, name);
      equal(last, { tag: 'a', digest: undefined, previous: digest }, 'the last move');
      equal(earlier.length, 3, 'the number of moves before');
    });

    test('the caller that moved a tag, if it is known', async ({ registry, repository }) => {
      const name = repository();
      const image = imageOf();
      for (const { descriptor, bytes } of image.blobs) await registry.pushBlob(name, descriptor, bytes);
      const context = { identity: identityOf('alice') };
      const { digest } = image.descriptor;
      await registry.pushManifest(name, image.bytes, image.mediaType, { tags: ['a'], context });
      await registry.deleteTag(name, 'a', { context: { identity: identityOf('bob') } });
      const expected = [
        { tag: 'a', digest: undefined, previous: digest, caller: 'bob' },
        { tag: 'a', digest, previous: undefined, caller: 'alice' },
      ];
      equal(await movesOf(registry, name), expected, 'the moves');
    });

    test('nothing for a repository without moves', async ({ registry, repository }) => {
      equal(await movesOf(registry, repository()), [], 'the moves of an unknown repository');
    });

    test('concurrent moves so that each begins where the one before it ended', async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const images = Array.from({ length: 8 }, () => imageOf());
      await Promise.all(images.map((image) => pushContent(registry, name, image, { tags: ['latest'] })));
      const moves = (await movesOf(registry, name)).toReversed();
      equal(moves.length, 8, 'the number of moves');
      const ends = moves.map(({ digest }) => digest);
      equal(
        moves.map(({ previous }) => previous),
        [undefined, ...ends.slice(0, -1)],
        'the previous digest of each move',
      );
      equal((await registry.resolveTag(name, 'latest')).digest, ends.at(-1), 'the digest of the tag');
    });
  },
);

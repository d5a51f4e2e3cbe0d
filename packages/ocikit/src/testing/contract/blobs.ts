// Cases for pushing whole blobs and reading them.
import { collect } from '../../model/index.ts';
import type { BlobSource } from '../../model/index.ts';
import {
  algorithms,
  assertBlob,
  assertNoBlob,
  assertNoRepository,
  equal,
  failingAfter,
  readLimit,
  group,
  holds,
  identityOf,
  inPieces,
  longSource,
  rejects,
  rejectsBecauseOf,
  sameBytes,
  settles,
  streamOf,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { blobOf, randomBlob } from '../content/index.ts';

const sources: readonly [kind: string, of: (bytes: Uint8Array<ArrayBuffer>) => BlobSource][] = [
  ['bytes', (bytes) => bytes],
  ['a Blob', (bytes) => new Blob([bytes])],
  ['an AsyncIterable', (bytes) => inPieces(bytes, 1000)],
  ['a ReadableStream', (bytes) => streamOf(bytes, 1000)],
  ['a function that gives bytes', (bytes) => () => bytes],
  ['a function that opens a stream later', (bytes) => async () => streamOf(bytes, 700)],
];

/** The cases for `pushBlob`. */
export const pushingBlobs: DefineGroup = group('pushing blobs', ['writing'], (test) => {
  for (const algorithm of algorithms) {
    for (const [kind, of] of sources) {
      test(`stores a ${algorithm} blob from ${kind}`, async ({ registry, repository }) => {
        const name = repository();
        const { descriptor, bytes } = randomBlob(5003, { algorithm });
        const pushed = await registry.pushBlob(name, descriptor, of(bytes.slice()));
        equal(identityOf(pushed), descriptor, 'the result of pushBlob');
        await assertBlob(registry, name, descriptor, bytes);
      });

      test(`stores a ${algorithm} blob from ${kind} of unknown size`, async ({ registry, repository }) => {
        const name = repository();
        const { descriptor, bytes } = randomBlob(5003, { algorithm });
        const pushed = await registry.pushBlob(name, { digest: descriptor.digest }, of(bytes.slice()));
        equal(identityOf(pushed), descriptor, 'the result of pushBlob');
        await assertBlob(registry, name, descriptor, bytes);
      });
    }

    for (const size of [0, 1]) {
      for (const [kind, of] of sources.slice(0, 4)) {
        test(`stores a ${algorithm} blob of ${size === 1 ? '1 byte' : 'no bytes'} from ${kind}`, async ({
          registry,
          repository,
        }) => {
          const name = repository();
          const { descriptor, bytes } = randomBlob(size, { algorithm });
          equal((await registry.pushBlob(name, descriptor, of(bytes.slice()))).size, size, 'the size that was pushed');
          await assertBlob(registry, name, descriptor, bytes);
        });
      }
    }

    test(`refuses bytes that do not have the ${algorithm} digest`, async (scene) => {
      const name = scene.repository();
      const { descriptor, bytes } = randomBlob(2000, { algorithm });
      const wrong = bytes.slice();
      wrong[1999] = (wrong[1999] ?? 0) ^ 1;
      await rejects(scene.registry.pushBlob(name, descriptor, wrong), 'DIGEST_INVALID');
      await rejects(
        scene.registry.pushBlob(name, { digest: descriptor.digest }, inPieces(wrong, 300)),
        'DIGEST_INVALID',
      );
      await assertNoRepository(scene, name, descriptor.digest);
    });
  }

  test('stores a blob of several MiB that comes in uneven pieces', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(6 * 1024 * 1024 + 3);
    await registry.pushBlob(name, descriptor, inPieces(bytes, 77_777));
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('accepts empty pieces', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(10);
    const pieces = [new Uint8Array(), bytes.slice(0, 4), new Uint8Array(), bytes.slice(4), new Uint8Array()];
    await registry.pushBlob(
      name,
      descriptor,
      (async function* () {
        yield* pieces;
      })(),
    );
    await assertBlob(registry, name, descriptor, bytes);
  });

  for (const difference of [-1, 1]) {
    test(`refuses a source with ${difference < 0 ? 'fewer' : 'more'} bytes than announced`, async (scene) => {
      const name = scene.repository();
      const { descriptor, bytes } = randomBlob(3000);
      const announced = { digest: descriptor.digest, size: bytes.length - difference };
      await rejects(scene.registry.pushBlob(name, announced, bytes), 'SIZE_INVALID', 'bytes');
      await rejects(scene.registry.pushBlob(name, announced, inPieces(bytes, 500)), 'SIZE_INVALID', 'an AsyncIterable');
      await assertNoRepository(scene, name, descriptor.digest);
    });
  }

  test('stops reading a source that gives more than announced, and releases it', async ({ registry, repository }) => {
    const source = longSource();
    const { descriptor } = randomBlob(1000);
    await rejects(settles(registry.pushBlob(repository(), descriptor, source), 'pushBlob'), 'SIZE_INVALID');
    holds(source.taken <= readLimit, `expected to stop after the 1000 announced bytes, but read ${source.taken}`);
    holds(source.released, 'expected the source to be released, but it is still open');
  });

  test('rejects with the error of the source, and stores nothing', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(3000);
    const reason = new Error('the disk is gone');
    const source = failingAfter(bytes.subarray(0, 2000), reason);
    await rejectsBecauseOf(scene.registry.pushBlob(name, descriptor, source), reason, 'pushBlob');
    await assertNoRepository(scene, name, descriptor.digest);
  });

  test('accepts a blob that exists already', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(name, descriptor, bytes);
    equal(identityOf(await registry.pushBlob(name, descriptor, bytes)), descriptor, 'the result of the second push');
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('verifies the bytes for a blob that exists already, and keeps the right ones', async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(2000);
    await registry.pushBlob(name, descriptor, bytes);
    const { digest } = descriptor;
    const sameSize = randomBlob(2000).bytes;
    await rejects(registry.pushBlob(name, descriptor, sameSize), 'DIGEST_INVALID', 'other bytes of the same size');
    await rejects(registry.pushBlob(name, { digest }, randomBlob(10).bytes), 'DIGEST_INVALID', 'fewer bytes');
    await rejects(registry.pushBlob(name, { digest }, new Uint8Array()), 'DIGEST_INVALID', 'no bytes');
    await rejects(
      registry.pushBlob(name, descriptor, randomBlob(3000).bytes),
      ['DIGEST_INVALID', 'SIZE_INVALID'],
      'more bytes than announced',
    );
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('verifies the bytes for a blob that another repository has', async (scene) => {
    const { registry } = scene;
    const [has, wants] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob(2000);
    await registry.pushBlob(has, descriptor, bytes);
    await rejects(registry.pushBlob(wants, descriptor, randomBlob(2000).bytes), 'DIGEST_INVALID');
    await assertNoRepository(scene, wants, descriptor.digest);
    await assertBlob(registry, has, descriptor, bytes);
  });

  test('stores bytes that the caller can overwrite afterwards', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(5000);
    const [whole, piece] = [bytes.slice(), bytes.slice()];
    await registry.pushBlob(name, descriptor, whole);
    whole.fill(0);
    await assertBlob(registry, name, descriptor, bytes);
    const other = repository();
    await registry.pushBlob(other, descriptor, inPieces(piece, 5000));
    piece.fill(0);
    await assertBlob(registry, other, descriptor, bytes);
  });

  test('makes a blob visible in its repository only', async ({ registry, repository }) => {
    const [has, other] = [repository(), repository()];
    const [shown, hidden] = [randomBlob(), randomBlob()];
    await registry.pushBlob(other, shown.descriptor, shown.bytes);
    await registry.pushBlob(has, hidden.descriptor, hidden.bytes);
    await assertNoBlob(registry, other, hidden.descriptor.digest);
  });

  test('keeps the sha256 and the sha512 blob of the same bytes apart', async ({ registry, repository }) => {
    const name = repository();
    const bytes = randomBlob(1000).bytes;
    const [short, long] = [blobOf(bytes), blobOf(bytes, { algorithm: 'sha512' })];
    await registry.pushBlob(name, short.descriptor, bytes);
    await assertNoBlob(registry, name, long.descriptor.digest);
    await registry.pushBlob(name, long.descriptor, bytes);
    await registry.deleteBlob(name, short.descriptor.digest);
    await assertBlob(registry, name, long.descriptor, bytes);
  });

  test('creates the repository with its first blob, without a tag', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob();
    await scene.registry.pushBlob(name, descriptor, bytes);
    equal(await scene.listed(), [name], 'the repositories that are listed');
    equal(await collect(scene.registry.tags(name)), [], 'the tags');
  });

  test('replaces damaged bytes by the right ones', ['damage'], async ({ registry, repository, damage }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(2000);
    await registry.pushBlob(name, descriptor, bytes);
    await damage(name, descriptor.digest);
    await registry.pushBlob(name, descriptor, bytes);
    await assertBlob(registry, name, descriptor, bytes);
  });
});

/** The cases for `getBlob` and `resolveBlob`, without a range. */
export const readingBlobs: DefineGroup = group('reading blobs', [], (test) => {
  test('gives a blob whole, with its descriptor', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(3000);
    await origin.pushBlob(name, descriptor, bytes);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('does not find a blob that was never pushed', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await origin.pushBlob(name, descriptor, bytes);
    for (const algorithm of algorithms) {
      await assertNoBlob(registry, name, randomBlob(1000, { algorithm }).descriptor.digest);
    }
  });

  test('does not find the empty blob before it is pushed', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await origin.pushBlob(name, descriptor, bytes);
    await assertNoBlob(registry, name, blobOf('').descriptor.digest);
  });

  test('does not find an unknown repository, and does not create it', async (scene) => {
    const name = scene.repository();
    await assertNoRepository(scene, name, randomBlob().descriptor.digest);
    await assertNoRepository(scene, name, randomBlob().descriptor.digest);
  });

  test('gives each caller a copy of the bytes', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(3000);
    await origin.pushBlob(name, descriptor, bytes);
    const read = await (await registry.getBlob(name, descriptor.digest)).bytes();
    sameBytes(read, bytes, 'the blob');
    read.fill(0);
    await assertBlob(registry, name, descriptor, bytes);
  });
});

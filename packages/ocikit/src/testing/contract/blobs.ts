import { collect } from '../../model/index.ts';
import type { BlobSource } from '../../model/index.ts';
import {
  algorithms,
  assertBlob,
  assertNoBlob,
  assertNoRepository,
  equal,
  failingAfter,
  fairShare,
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

export const pushingBlobs: DefineGroup = group('pushing blobs', ['writing'], (it) => {
  for (const algorithm of algorithms) {
    for (const [kind, of] of sources) {
      it(`stores a ${algorithm} blob from ${kind}`, async ({ registry, repository }) => {
        const name = repository();
        const { descriptor, bytes } = randomBlob(5003, { algorithm });
        const pushed = await registry.pushBlob(name, descriptor, of(bytes.slice()));
        equal(identityOf(pushed), descriptor, 'what pushBlob returns');
        await assertBlob(registry, name, descriptor, bytes);
      });

      it(`stores a ${algorithm} blob from ${kind} whose size is not told`, async ({ registry, repository }) => {
        const name = repository();
        const { descriptor, bytes } = randomBlob(5003, { algorithm });
        const pushed = await registry.pushBlob(name, { digest: descriptor.digest }, of(bytes.slice()));
        equal(identityOf(pushed), descriptor, 'what pushBlob returns');
        await assertBlob(registry, name, descriptor, bytes);
      });
    }

    for (const size of [0, 1]) {
      for (const [kind, of] of sources.slice(0, 4)) {
        it(`stores a ${algorithm} blob of ${size} bytes from ${kind}`, async ({ registry, repository }) => {
          const name = repository();
          const { descriptor, bytes } = randomBlob(size, { algorithm });
          equal((await registry.pushBlob(name, descriptor, of(bytes.slice()))).size, size, 'the size that was pushed');
          await assertBlob(registry, name, descriptor, bytes);
        });
      }
    }

    it(`refuses bytes that do not have the ${algorithm} digest`, async (scene) => {
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

  it('stores a blob of several MiB that comes in uneven pieces', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(6 * 1024 * 1024 + 3);
    await registry.pushBlob(name, descriptor, inPieces(bytes, 77_777));
    await assertBlob(registry, name, descriptor, bytes);
  });

  it('does not mind pieces without bytes', async ({ registry, repository }) => {
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
    it(`refuses a blob of which ${difference < 0 ? 'fewer' : 'more'} bytes come than announced`, async (scene) => {
      const name = scene.repository();
      const { descriptor, bytes } = randomBlob(3000);
      const announced = { digest: descriptor.digest, size: bytes.length - difference };
      await rejects(scene.registry.pushBlob(name, announced, bytes), 'SIZE_INVALID', 'bytes');
      await rejects(scene.registry.pushBlob(name, announced, inPieces(bytes, 500)), 'SIZE_INVALID', 'an AsyncIterable');
      await assertNoRepository(scene, name, descriptor.digest);
    });
  }

  it('stops reading a source that gives more than announced, and lets go of it', async ({ registry, repository }) => {
    const source = longSource();
    const { descriptor } = randomBlob(1000);
    await rejects(settles(registry.pushBlob(repository(), descriptor, source), 'pushBlob'), 'SIZE_INVALID');
    holds(source.taken <= fairShare, `read ${source.taken} bytes, though 1000 were announced`);
    holds(source.left, 'the source is still open');
  });

  it('passes on why a source failed, and stores nothing', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(3000);
    const reason = new Error('the disk is gone');
    const source = failingAfter(bytes.subarray(0, 2000), reason);
    await rejectsBecauseOf(scene.registry.pushBlob(name, descriptor, source), reason, 'pushBlob');
    await assertNoRepository(scene, name, descriptor.digest);
  });

  it('accepts a blob that is there already', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(name, descriptor, bytes);
    equal(identityOf(await registry.pushBlob(name, descriptor, bytes)), descriptor, 'what the second push returns');
    await assertBlob(registry, name, descriptor, bytes);
  });

  it('verifies the bytes also of a blob that is there already, and keeps the right ones', async (scene) => {
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

  it('verifies the bytes also of a blob that another repository has', async (scene) => {
    const { registry } = scene;
    const [has, wants] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob(2000);
    await registry.pushBlob(has, descriptor, bytes);
    await rejects(registry.pushBlob(wants, descriptor, randomBlob(2000).bytes), 'DIGEST_INVALID');
    await assertNoRepository(scene, wants, descriptor.digest);
    await assertBlob(registry, has, descriptor, bytes);
  });

  it('is not affected by what the caller does to its buffer afterwards', async ({ registry, repository }) => {
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

  it('makes a blob visible in its repository only', async ({ registry, repository }) => {
    const [has, other] = [repository(), repository()];
    const [shown, hidden] = [randomBlob(), randomBlob()];
    await registry.pushBlob(other, shown.descriptor, shown.bytes);
    await registry.pushBlob(has, hidden.descriptor, hidden.bytes);
    await assertNoBlob(registry, other, hidden.descriptor.digest);
  });

  it('keeps the sha256 and the sha512 blob of the same bytes apart', async ({ registry, repository }) => {
    const name = repository();
    const bytes = randomBlob(1000).bytes;
    const [short, long] = [blobOf(bytes), blobOf(bytes, { algorithm: 'sha512' })];
    await registry.pushBlob(name, short.descriptor, bytes);
    await assertNoBlob(registry, name, long.descriptor.digest);
    await registry.pushBlob(name, long.descriptor, bytes);
    await registry.deleteBlob(name, short.descriptor.digest);
    await assertBlob(registry, name, long.descriptor, bytes);
  });

  it('makes the repository exist with its first blob, without a tag', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob();
    await scene.registry.pushBlob(name, descriptor, bytes);
    equal(await scene.listed(), [name], 'the repositories that are listed');
    equal(await collect(scene.registry.tags(name)), [], 'the tags');
  });

  it('puts the right bytes in the place of damaged ones', ['damage'], async ({ registry, repository, damage }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(2000);
    await registry.pushBlob(name, descriptor, bytes);
    await damage(name, descriptor.digest);
    await registry.pushBlob(name, descriptor, bytes);
    await assertBlob(registry, name, descriptor, bytes);
  });
});

export const readingBlobs: DefineGroup = group('reading blobs', [], (it) => {
  it('gives a blob whole, with its descriptor', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(3000);
    await origin.pushBlob(name, descriptor, bytes);
    await assertBlob(registry, name, descriptor, bytes);
  });

  it('does not know a blob that nobody pushed', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await origin.pushBlob(name, descriptor, bytes);
    for (const algorithm of algorithms) {
      await assertNoBlob(registry, name, randomBlob(1000, { algorithm }).descriptor.digest);
    }
  });

  it('does not know the empty blob before somebody pushed it', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await origin.pushBlob(name, descriptor, bytes);
    await assertNoBlob(registry, name, blobOf('').descriptor.digest);
  });

  it('does not know an unknown repository, and does not make it by asking', async (scene) => {
    const name = scene.repository();
    await assertNoRepository(scene, name, randomBlob().descriptor.digest);
    await assertNoRepository(scene, name, randomBlob().descriptor.digest);
  });

  it('gives the caller bytes of its own', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(3000);
    await origin.pushBlob(name, descriptor, bytes);
    const read = await (await registry.getBlob(name, descriptor.digest)).bytes();
    sameBytes(read, bytes, 'the blob');
    read.fill(0);
    await assertBlob(registry, name, descriptor, bytes);
  });
});

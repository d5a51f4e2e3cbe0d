// Cases for uploads that succeed, in one step or in chunks.
import type { BlobSource } from '../../model/index.ts';
import {
  algorithms,
  assertBlob,
  assertNoRepository,
  chunkLength,
  ContractError,
  equal,
  group,
  holds,
  identityOf,
  inPieces,
  rejects,
  sameBytes,
  streamOf,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { blobOf, randomBlob } from '../content/index.ts';

/** The cases for uploads that succeed. */
export const uploading: DefineGroup = group('uploading', ['writing'], (test) => {
  for (const algorithm of algorithms) {
    test(`stores a ${algorithm} blob that comes with the commit`, async ({ registry, repository }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(3000, { algorithm });
      const upload = await registry.startUpload(name, { algorithm });
      equal(upload.size, 0, 'the size at the start');
      const committed = await upload.commit(descriptor.digest, { source: bytes, at: 0, size: bytes.length });
      equal(identityOf(committed), descriptor, 'the result of commit');
      await assertBlob(registry, name, descriptor, bytes);
    });

    test(`stores a ${algorithm} blob that comes with the commit as a stream`, async ({ registry, repository }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(3000, { algorithm });
      const upload = await registry.startUpload(name, { algorithm });
      await upload.commit(descriptor.digest, { source: streamOf(bytes, 700) });
      await assertBlob(registry, name, descriptor, bytes);
    });

    test(`stores a ${algorithm} blob that comes in chunks`, async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name, { algorithm, chunkSize: 1000 });
      const length = chunkLength(upload, 1000);
      const { descriptor, bytes } = randomBlob(length * 3 - 5, { algorithm });
      for (let at = 0; at < bytes.length; at += length) {
        const chunk = bytes.subarray(at, at + length);
        equal(await upload.append(chunk, { at, size: chunk.length }), at + chunk.length, 'the result of append');
        equal(upload.size, at + chunk.length, 'the size after it');
      }
      equal(identityOf(await upload.commit(descriptor.digest)), descriptor, 'the result of commit');
      await assertBlob(registry, name, descriptor, bytes);
    });

    test(`stores a ${algorithm} blob whose last chunk comes with the commit`, async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name, { algorithm });
      const length = chunkLength(upload, 1000);
      const { descriptor, bytes } = randomBlob(length * 2 + 1, { algorithm });
      await upload.append(bytes.subarray(0, length), { at: 0, size: length });
      await upload.append(bytes.subarray(length, length * 2));
      const last = bytes.subarray(length * 2);
      await upload.commit(descriptor.digest, { source: last, at: length * 2, size: 1 });
      await assertBlob(registry, name, descriptor, bytes);
    });

    test(`stores the empty blob with its ${algorithm} digest, without an append`, async ({ registry, repository }) => {
      const name = repository();
      const { descriptor, bytes } = blobOf('', { algorithm });
      const upload = await registry.startUpload(name, { algorithm });
      await upload.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });

    const other = algorithm === 'sha256' ? 'sha512' : 'sha256';
    test(`commits with a ${other} digest an upload that was started for ${algorithm}`, async ({
      registry,
      repository,
    }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(4000, { algorithm: other });
      const upload = await registry.startUpload(name, { algorithm });
      const length = chunkLength(upload, 2000);
      await upload.append(bytes.subarray(0, length));
      await upload.commit(descriptor.digest, { source: bytes.subarray(length) });
      await assertBlob(registry, name, descriptor, bytes);
    });

    test(`commits with a ${algorithm} digest an upload that was started without an algorithm`, async ({
      registry,
      repository,
    }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(4000, { algorithm });
      const upload = await registry.startUpload(name);
      await upload.append(bytes);
      await upload.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });
  }

  const sources: readonly [kind: string, of: (bytes: Uint8Array<ArrayBuffer>) => BlobSource][] = [
    ['bytes', (bytes) => bytes],
    ['a Blob', (bytes) => new Blob([bytes])],
    ['an AsyncIterable', (bytes) => inPieces(bytes, 300)],
    ['a ReadableStream', (bytes) => streamOf(bytes, 300)],
    ['a function that opens a stream', (bytes) => async () => streamOf(bytes, 300)],
  ];
  for (const [kind, of] of sources) {
    test(`appends ${kind}, with and without an announced size`, async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name);
      const length = chunkLength(upload, 2000);
      const { descriptor, bytes } = randomBlob(length * 3);
      await upload.append(of(bytes.slice(0, length)));
      equal(upload.size, length, 'the size after the first');
      await upload.append(of(bytes.slice(length, length * 2)), { size: length });
      await upload.append(of(bytes.slice(length * 2)), { at: length * 2 });
      await upload.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });
  }

  test('stores a blob of several MiB that comes in large chunks', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1_500_000);
    const { descriptor, bytes } = randomBlob(length * 3 + 17);
    for (let at = 0; at < bytes.length; at += length) {
      const chunk = bytes.subarray(at, at + length);
      await upload.append(inPieces(chunk, 64 * 1024), { at, size: chunk.length });
    }
    await upload.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('accepts an append without bytes', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(1000);
    const upload = await registry.startUpload(name);
    equal(await upload.append(new Uint8Array()), 0, 'the size after nothing');
    await upload.append(bytes);
    equal(await upload.append(inPieces(new Uint8Array(), 10)), 1000, 'the size after nothing more');
    await upload.commit(descriptor.digest, { source: new Uint8Array() });
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('stores bytes that the caller can overwrite afterwards', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 3000);
    const { descriptor, bytes } = randomBlob(length * 2);
    const buffer = bytes.slice(0, length);
    await upload.append(buffer);
    buffer.set(bytes.subarray(length));
    await upload.append(buffer);
    buffer.fill(0);
    await upload.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('keeps uploads to the same repository apart', async ({ registry, repository }) => {
    const name = repository();
    const [a, b] = [await registry.startUpload(name), await registry.startUpload(name)];
    const length = chunkLength(a, 1000);
    const [first, second] = [randomBlob(length * 2), randomBlob(length * 2)];
    await a.append(first.bytes.subarray(0, length));
    await b.append(second.bytes.subarray(0, length));
    await a.append(first.bytes.subarray(length));
    await b.append(second.bytes.subarray(length));
    await a.commit(first.descriptor.digest);
    await b.commit(second.descriptor.digest);
    await assertBlob(registry, name, first.descriptor, first.bytes);
    await assertBlob(registry, name, second.descriptor, second.bytes);
    holds(a.id !== b.id, 'two uploads have the same id');
  });

  test('stores a blob that exists already', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(2000);
    await registry.pushBlob(name, descriptor, bytes);
    const [a, b] = [await registry.startUpload(name), await registry.startUpload(name)];
    await a.append(bytes);
    await b.append(bytes);
    await a.commit(descriptor.digest);
    await b.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('does not create the repository before the commit', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(2000);
    const upload = await scene.registry.startUpload(name);
    await assertNoRepository(scene, name, descriptor.digest);
    await upload.append(bytes);
    await assertNoRepository(scene, name, descriptor.digest);
    await upload.commit(descriptor.digest);
    equal(await scene.listed(), [name], 'the repositories that are listed after the commit');
  });

  test('reads back the bytes received so far', ['uploads that can be read'], async ({ registry, repository }) => {
    const upload = await registry.startUpload(repository());
    if (upload.read === undefined)
      throw new ContractError('expected uploads that can be read: add uploadRead to the trait lacks, if they cannot');
    equal((await upload.read().bytes()).length, 0, 'the bytes at the start');
    const { bytes } = randomBlob(5000);
    await upload.append(bytes.subarray(0, 3000));
    await upload.append(bytes.subarray(3000));
    sameBytes(await upload.read().bytes(), bytes, 'the bytes received so far');
    const part = upload.read({ start: 2500, end: 3500 });
    sameBytes(await part.bytes(), bytes.subarray(2500, 3500), 'a part of it');
    await upload.cancel();
  });

  test(
    'reads back the bytes received so far while more arrive',
    ['uploads that can be read'],
    async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name);
      const { descriptor, bytes } = randomBlob(600_000);
      await upload.append(bytes.subarray(0, 200_000));
      const seen: number[] = [];
      const source = async function* slowly(): AsyncGenerator<Uint8Array, void, undefined> {
        for (let at = 200_000; at < bytes.length; at += 100_000) {
          yield bytes.subarray(at, at + 100_000);
          const content = upload.read?.();
          if (content === undefined)
            throw new ContractError('expected an upload that can still be read, but it has no read()');
          const read = await content.bytes();
          sameBytes(read, bytes.subarray(0, read.length), 'the bytes received so far');
          seen.push(read.length);
        }
      };
      await upload.append(source());
      holds(
        seen.every((size, i) => size >= (seen[i - 1] ?? 200_000)),
        `expected the readable bytes to grow, but their number was ${seen.join(', ')}`,
      );
      await upload.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    },
  );

  test('refuses an unknown algorithm', async ({ registry, repository }) => {
    await rejects(registry.startUpload(repository(), { algorithm: 'md5' }), 'DIGEST_INVALID');
  });
});

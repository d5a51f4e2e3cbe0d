// Cases for uploads in which a call fails: the upload keeps its bytes and can continue.
import {
  algorithms,
  assertBlob,
  assertNoRepository,
  chunkLength,
  ContractError,
  equal,
  failingAfter,
  readLimit,
  group,
  holds,
  inPieces,
  longSource,
  openSource,
  rejects,
  rejectsBecauseOf,
  settles,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { blobOf, randomBlob } from '../content/index.ts';

/** The cases for uploads in which a call fails. */
export const failingUploads: DefineGroup = group('an upload with a failed step', ['writing'], (test) => {
  for (const algorithm of algorithms) {
    test(`refuses a commit with the wrong ${algorithm} digest, and can be committed with the right one`, async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const { descriptor, bytes } = randomBlob(3000, { algorithm });
      const wrong = randomBlob(3000, { algorithm }).descriptor.digest;
      const upload = await registry.startUpload(name, { algorithm });
      await upload.append(bytes);
      await rejects(upload.commit(wrong), 'DIGEST_INVALID');
      equal(upload.size, 3000, 'the size afterwards');
      await assertNoRepository(scene, name, wrong);
      await upload.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });

    test(`discards the bytes of a commit with the wrong ${algorithm} digest`, async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name, { algorithm });
      const length = chunkLength(upload, 1000);
      const { descriptor, bytes } = randomBlob(length + 500, { algorithm });
      await upload.append(bytes.subarray(0, length));
      const other = randomBlob(400).bytes;
      await rejects(upload.commit(descriptor.digest, { source: other }), 'DIGEST_INVALID', 'other bytes');
      equal(upload.size, length, 'the size afterwards');
      await rejects(upload.commit(descriptor.digest, { source: inPieces(other, 50) }), 'DIGEST_INVALID', 'again');
      await upload.commit(descriptor.digest, { source: bytes.subarray(length), at: length, size: 500 });
      await assertBlob(registry, name, descriptor, bytes);
    });
  }

  test('refuses a commit with a malformed digest, and continues', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(100);
    const upload = await registry.startUpload(name);
    await upload.append(bytes);
    for (const digest of ['sha256:', 'sha256:1234', 'md5:d41d8cd98f00b204e9800998ecf8427e', ':', ':abc'] as const) {
      await rejects(upload.commit(digest), 'DIGEST_INVALID', digest);
    }
    equal(upload.size, 100, 'the size afterwards');
    await upload.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('does not store the empty blob under another digest', async (scene) => {
    const name = scene.repository();
    const { digest } = randomBlob(10).descriptor;
    const upload = await scene.registry.startUpload(name);
    await rejects(upload.commit(digest), 'DIGEST_INVALID');
    await assertNoRepository(scene, name, digest);
    equal(upload.size, 0, 'the size afterwards');
    await upload.commit(blobOf('').descriptor.digest);
    await assertBlob(scene.registry, name, blobOf('').descriptor, new Uint8Array());
  });

  test('refuses bytes for another position, and continues at its own', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 3);
    const chunk = (at: number): Uint8Array => bytes.subarray(at, at + length);
    const size = length;
    await rejects(upload.append(chunk(length), { at: length, size }), 'RANGE_INVALID', 'ahead, at the start');
    equal(upload.size, 0, 'the size after bytes for a later position');
    await upload.append(chunk(0), { at: 0, size });
    await rejects(upload.append(chunk(0), { at: 0, size }), 'RANGE_INVALID', 'the same again');
    await rejects(upload.append(chunk(length * 2), { at: length * 2, size }), 'RANGE_INVALID', 'ahead');
    await rejects(upload.append(chunk(length - 1), { at: length - 1, size }), 'RANGE_INVALID', 'one byte back');
    await rejects(upload.append(chunk(length + 1), { at: length + 1 }), 'RANGE_INVALID', 'one byte ahead');
    equal(upload.size, length, 'the size after all of them');
    await upload.append(chunk(length), { at: length, size });
    await upload.append(chunk(length * 2), { at: length * 2, size });
    await upload.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('refuses last bytes for another position, and continues at its own', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 2);
    await upload.append(bytes.subarray(0, length));
    const source = bytes.subarray(length);
    const { digest } = descriptor;
    await rejects(upload.commit(digest, { source, at: 0, size: length }), 'RANGE_INVALID', 'at the start');
    await rejects(upload.commit(digest, { source, at: length + 1, size: length }), 'RANGE_INVALID', 'ahead');
    equal(upload.size, length, 'the size afterwards');
    await upload.commit(digest, { source, at: length, size: length });
    await assertBlob(registry, name, descriptor, bytes);
  });

  for (const [difference, what] of [
    [1, 'fewer'],
    [-1, 'more'],
  ] as const) {
    test(`appends nothing if a source has ${what} bytes than announced`, async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name);
      const length = chunkLength(upload, 1000);
      const { descriptor, bytes } = randomBlob(length * 2);
      await upload.append(bytes.subarray(0, length));
      const rest = bytes.subarray(length);
      const size = length + difference;
      await rejects(upload.append(rest, { at: length, size }), 'SIZE_INVALID', 'bytes');
      await rejects(upload.append(inPieces(rest, 100), { at: length, size }), 'SIZE_INVALID', 'an AsyncIterable');
      await rejects(upload.commit(descriptor.digest, { source: rest, at: length, size }), 'SIZE_INVALID', 'a commit');
      equal(upload.size, length, 'the size afterwards');
      await upload.append(rest, { at: length, size: length });
      await upload.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });
  }

  test('stops reading a source that gives more than announced, and releases it', async ({ registry, repository }) => {
    const upload = await registry.startUpload(repository());
    const source = longSource();
    await rejects(settles(upload.append(source, { size: 1000 }), 'appending'), 'SIZE_INVALID');
    holds(source.taken <= readLimit, `expected to stop after the 1000 announced bytes, but read ${source.taken}`);
    holds(source.released, 'expected the source to be released, but it is still open');
    equal(upload.size, 0, 'the size afterwards');
    await upload.cancel();
  });

  test('keeps the bytes from before its source failed, and continues after them', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 3);
    await upload.append(bytes.subarray(0, length));
    const reason = new Error('the network is gone');
    const source = failingAfter(bytes.subarray(length, length * 2), reason);
    await rejectsBecauseOf(upload.append(source), reason, 'append');
    equal(upload.size, length * 2, 'the size afterwards');
    const resumed = await registry.resumeUpload(name, upload.id);
    equal(resumed.size, length * 2, 'the size that the registry reports');
    await resumed.append(bytes.subarray(length * 2), { at: length * 2 });
    await resumed.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('can be resumed if the source of the last bytes failed', async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 2);
    await upload.append(bytes.subarray(0, length));
    const reason = new Error('the network is gone');
    const source = failingAfter(bytes.subarray(length, length + 100), reason);
    await rejectsBecauseOf(upload.commit(descriptor.digest, { source }), reason, 'commit');
    await assertNoRepository(scene, name, descriptor.digest);
    const { size = 0 } = upload;
    holds(
      size >= length && size <= length + 100,
      `the size afterwards: expected ${length} to ${length + 100}, but it is ${size}`,
    );
    await upload.commit(descriptor.digest, { source: bytes.subarray(size), at: size });
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('refuses a call while another one is running', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const { descriptor, bytes } = randomBlob(chunkLength(upload, 1000));
    const source = openSource(bytes);
    const running = upload.append(source);
    await settles(source.waiting, 'reading the source');
    await rejects(settles(upload.append(bytes), 'a second append'), 'BLOB_UPLOAD_INVALID', 'a second append');
    await rejects(settles(upload.commit(descriptor.digest), 'a commit'), 'BLOB_UPLOAD_INVALID', 'a commit');
    source.end();
    equal(await running, bytes.length, 'the size after the first append');
    await upload.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('lets one of two concurrent appends to the same position win', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 50_000);
    const blobs = [randomBlob(length), randomBlob(length)];
    const handles = [upload, await registry.resumeUpload(name, upload.id)];
    const results = await Promise.allSettled(
      handles.map((handle, i) =>
        handle.append(inPieces(blobs[i]?.bytes ?? new Uint8Array(), 5000), { at: 0, size: length }),
      ),
    );
    const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
    equal(winners.length, 1, 'the number of appends that won');
    for (const result of results) {
      if (result.status === 'rejected') {
        await rejects(Promise.reject(result.reason), ['BLOB_UPLOAD_INVALID', 'RANGE_INVALID'], 'the other one');
      }
    }
    const won = blobs[winners[0] ?? 0];
    if (won === undefined) throw new ContractError('expected one append to win, but none did');
    const resumed = await registry.resumeUpload(name, upload.id);
    equal(resumed.size, length, 'the size afterwards');
    await resumed.commit(won.descriptor.digest);
    await assertBlob(registry, name, won.descriptor, won.bytes);
  });
});

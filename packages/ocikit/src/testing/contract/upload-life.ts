// Cases for the life of an upload: resumed, committed, cancelled.
import type { Registry } from '../../model/index.ts';
import { assertBlob, assertNoRepository, chunkLength, equal, group, holds, rejects } from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { blobOf, randomBlob } from '../content/index.ts';

/** The cases for `resumeUpload`. */
export const resumingUploads: DefineGroup = group('a resumed upload', ['writing'], (test) => {
  for (const told of [false, true]) {
    test(`continues at ${told ? 'the offset that the caller gives' : 'its end'}`, async ({ registry, repository }) => {
      const name = repository();
      const upload = await registry.startUpload(name);
      const length = chunkLength(upload, 1000);
      const { descriptor, bytes } = randomBlob(length * 2);
      await upload.append(bytes.subarray(0, length));
      await upload.close();
      const resumed = await registry.resumeUpload(name, upload.id, told ? { offset: length } : {});
      equal(resumed.size, length, 'the size of the resumed upload');
      await resumed.append(bytes.subarray(length), { at: length });
      await resumed.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });
  }

  test('continues at its end without asking for it', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 3);
    await upload.append(bytes.subarray(0, length));
    const resumed = await registry.resumeUpload(name, upload.id, { offset: 'end' });
    holds(
      resumed.size === length || resumed.size === undefined,
      `its size: expected ${length} or undefined, but it is ${resumed.size}`,
    );
    equal(await resumed.append(bytes.subarray(length, length * 2)), length * 2, 'the size that append returns');
    equal(resumed.size, length * 2, 'the size afterwards');
    const again = await registry.resumeUpload(name, resumed.id, { offset: 'end' });
    const committed = await again.commit(descriptor.digest, { source: bytes.subarray(length * 2) });
    equal(committed.size, length * 3, 'the size that commit returns');
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('can be committed and cancelled without asking for its size', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(1000);
    const [kept, given] = [await registry.startUpload(name), await registry.startUpload(name)];
    for (const upload of [kept, given]) await upload.append(bytes);
    const committed = await (await registry.resumeUpload(name, kept.id, { offset: 'end' })).commit(descriptor.digest);
    equal(committed.size, 1000, 'the size that commit returns');
    await (await registry.resumeUpload(name, given.id, { offset: 'end' })).cancel();
    await rejects(registry.resumeUpload(name, given.id), 'BLOB_UPLOAD_UNKNOWN', 'the cancelled upload');
    await assertBlob(registry, name, descriptor, bytes);
  });

  for (const size of [0, 1, 2]) {
    test(`has the ${size} ${size === 1 ? 'byte' : 'bytes'} that it had before`, async ({ registry, repository }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(size);
      const upload = await registry.startUpload(name);
      if (size > 0) await upload.append(bytes);
      equal(upload.size, size, 'the size before');
      await upload.close();
      const resumed = await registry.resumeUpload(name, upload.id);
      equal(resumed.size, size, 'the size after resuming it');
      await registry.resumeUpload(name, upload.id, { offset: size });
      await resumed.commit(descriptor.digest);
      await assertBlob(registry, name, descriptor, bytes);
    });
  }

  test('refuses an offset other than its size', async ({ registry, repository, traits }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 2);
    const appendAt = async (offset: number): Promise<void> => {
      const resumed = await registry.resumeUpload(name, upload.id, { offset });
      // With an offset a client does not ask a remote registry, which compares it with the next bytes.
      if (traits.remote === true) await resumed.append(bytes.subarray(offset), { at: offset });
    };
    await rejects(appendAt(1), 'RANGE_INVALID', 'before the first byte came');
    await upload.append(bytes.subarray(0, length));
    for (const offset of [0, 1, length - 1, length + 1]) {
      await rejects(appendAt(offset), 'RANGE_INVALID', `at byte ${offset}`);
    }
    const resumed = await registry.resumeUpload(name, upload.id);
    equal(resumed.size, length, 'the size afterwards');
    await resumed.commit(descriptor.digest, { source: bytes.subarray(length) });
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('can be resumed after each chunk', async ({ registry, repository }) => {
    const name = repository();
    let upload = await registry.startUpload(name);
    const length = chunkLength(upload, 300);
    const { descriptor, bytes } = randomBlob(length * 4);
    for (let at = 0; at < bytes.length; at += length) {
      await upload.append(bytes.subarray(at, at + length), { at, size: length });
      await upload[Symbol.asyncDispose]();
      upload = await registry.resumeUpload(name, upload.id);
    }
    await upload.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('can be closed more than once, and after it was committed', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(100);
    const upload = await registry.startUpload(name);
    await upload.append(bytes);
    await upload.close();
    await upload.close();
    const resumed = await registry.resumeUpload(name, upload.id);
    await resumed.commit(descriptor.digest);
    await resumed.close();
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('is unknown by an id that was never issued, and nothing is created', async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const ids = [
      'unknown',
      '0',
      '00000000-0000-4000-8000-000000000000',
      '',
      ' ',
      '.',
      '..',
      '../..',
      '../../../../tmp/contract',
      '..%2f..%2fetc%2fpasswd',
      '/etc/passwd',
      'a/b',
      'a?b=c',
      'a#b',
      '%',
      'ü',
      'x'.repeat(5000),
      '__proto__',
    ];
    for (const id of ids) {
      await rejects(registry.resumeUpload(name, id), 'BLOB_UPLOAD_UNKNOWN', JSON.stringify(id.slice(0, 50)));
    }
    for (const offset of [10, 'end'] as const) {
      await rejects(appendToUnknown(registry, name, offset), 'BLOB_UPLOAD_UNKNOWN', `with the offset ${offset}`);
    }
    await assertNoRepository(scene, name, randomBlob().descriptor.digest);
  });

  test('is unknown by a changed id', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    await upload.append(randomBlob(chunkLength(upload, 10)).bytes);
    for (const id of [`${upload.id}x`, upload.id.slice(0, -1), `${upload.id}/..`, `x${upload.id}`]) {
      await rejects(registry.resumeUpload(name, id), 'BLOB_UPLOAD_UNKNOWN', 'a changed id');
    }
    await upload.cancel();
  });

  test('is unknown in another repository', async ({ registry, repository }) => {
    const [mine, other] = [repository(), repository()];
    const upload = await registry.startUpload(mine);
    const length = chunkLength(upload, 1000);
    await rejects(registry.resumeUpload(other, upload.id), 'BLOB_UPLOAD_UNKNOWN', 'before the first byte came');
    const { descriptor, bytes } = randomBlob(length);
    await upload.append(bytes);
    await rejects(registry.resumeUpload(other, upload.id), 'BLOB_UPLOAD_UNKNOWN', 'after it');
    await registry.pushBlob(other, descriptor, bytes);
    await rejects(registry.resumeUpload(other, upload.id), 'BLOB_UPLOAD_UNKNOWN', 'in a repository that exists');
    await upload.commit(descriptor.digest);
    await assertBlob(registry, mine, descriptor, bytes);
  });
});

/** The cases for uploads after `commit` and `cancel`. */
export const endingUploads: DefineGroup = group('an ended upload', ['writing'], (test) => {
  test('is unknown after its commit', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(100);
    const upload = await registry.startUpload(name);
    await upload.append(bytes);
    const { id } = upload;
    await upload.commit(descriptor.digest);
    await rejects(registry.resumeUpload(name, id), 'BLOB_UPLOAD_UNKNOWN', 'resumeUpload');
    await rejects(upload.append(bytes), 'BLOB_UPLOAD_UNKNOWN', 'append');
    await rejects(upload.commit(descriptor.digest), 'BLOB_UPLOAD_UNKNOWN', 'a second commit');
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('is unknown after a commit that was its only step', async ({ registry, repository }) => {
    const name = repository();
    const [empty, whole] = [await registry.startUpload(name), await registry.startUpload(name)];
    await empty.commit(blobOf('').descriptor.digest);
    await rejects(registry.resumeUpload(name, empty.id), 'BLOB_UPLOAD_UNKNOWN', 'an empty upload');
    const { descriptor, bytes } = randomBlob(10);
    await whole.commit(descriptor.digest, { source: bytes });
    await rejects(registry.resumeUpload(name, whole.id), 'BLOB_UPLOAD_UNKNOWN', 'an upload in one step');
  });

  for (const size of [0, 100]) {
    test(`is unknown after it was cancelled with ${size} bytes`, async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const { descriptor, bytes } = randomBlob(size);
      const upload = await registry.startUpload(name);
      if (size > 0) await upload.append(bytes);
      await upload.cancel();
      await rejects(registry.resumeUpload(name, upload.id), 'BLOB_UPLOAD_UNKNOWN', 'resumeUpload');
      await rejects(upload.append(randomBlob().bytes), 'BLOB_UPLOAD_UNKNOWN', 'append');
      await rejects(upload.commit(descriptor.digest), 'BLOB_UPLOAD_UNKNOWN', 'commit');
      await assertNoRepository(scene, name, descriptor.digest);
    });
  }

  test('can be cancelled more than once', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    await upload.append(randomBlob(chunkLength(upload, 10)).bytes);
    const other = await registry.resumeUpload(name, upload.id);
    await upload.cancel();
    await upload.cancel();
    await other.cancel();
    await rejects(registry.resumeUpload(name, upload.id), 'BLOB_UPLOAD_UNKNOWN');
  });

  test('keeps its blob when it is cancelled after the commit', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(100);
    const upload = await registry.startUpload(name);
    await upload.append(bytes);
    await upload.commit(descriptor.digest);
    await upload.cancel();
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('does not affect other uploads when it is cancelled', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(100);
    const [given, kept] = [await registry.startUpload(name), await registry.startUpload(name)];
    await given.append(bytes);
    await kept.append(bytes);
    await given.cancel();
    await kept.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('has an id of its own', async ({ registry, repository }) => {
    const name = repository();
    const ids: string[] = [];
    for (let i = 0; i < 50; i++) ids.push((await registry.startUpload(name)).id);
    equal(new Set(ids).size, 50, 'the number of different ids');
  });
});

async function appendToUnknown(registry: Registry, name: string, offset: number | 'end'): Promise<void> {
  const upload = await registry.resumeUpload(name, 'unknown', { offset });
  // With an offset a client does not ask a remote registry, which compares it with the next bytes.
  await upload.append(randomBlob(10).bytes);
}

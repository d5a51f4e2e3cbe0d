// Cases for signals that abort calls.
import { collect, isRegistryError } from '../../model/index.ts';
import type { BlobUpload } from '../../model/index.ts';
import {
  assertBlob,
  assertNoRepository,
  chunkLength,
  equal,
  group,
  holds,
  methods,
  openSource,
  pause,
  rejectsBecauseOf,
  settles,
} from '../cases/index.ts';
import type { DefineGroup, OpenSource, Scene } from '../cases/index.ts';
import { artifactOf, pushContent, pushImage, randomBlob } from '../content/index.ts';

/** The cases for `signal`. */
export const signals: DefineGroup = group('an aborted signal', [], (test) => {
  for (const method of methods) {
    test(`makes ${method.name} reject with its reason, if it was aborted before`, method.needs, async (scene) => {
      const { registry, origin } = scene;
      const name = scene.repository();
      const image = await pushImage(origin, name, { tags: ['v1'] });
      const reason = new Error('no longer wanted');
      const args = { repository: name, digest: image.descriptor.digest, tag: 'v1', signal: AbortSignal.abort(reason) };
      await rejectsBecauseOf(method.call(registry, args), reason, method.name);
    });
  }

  for (const list of ['repositories', 'tags', 'referrers'] as const) {
    test(`ends a list of ${list} between two items`, async ({ registry, origin, repository }) => {
      const [first, name] = [repository('a'), repository('b')];
      const image = await pushImage(origin, name, { tags: ['v1', 'v2', 'v3'] });
      for (const other of [first, repository('c')]) await pushImage(origin, other);
      for (const artifactType of ['application/vnd.example.a', 'application/vnd.example.b']) {
        await pushContent(origin, name, artifactOf({ artifactType, subject: image.descriptor }));
      }
      const controller = new AbortController();
      const { signal } = controller;
      const lists = {
        repositories: () => registry.repositories({ startAfter: first, signal }),
        tags: () => registry.tags(name, { signal }),
        referrers: () => registry.referrers(name, image.descriptor.digest, { signal }),
      };
      const items: AsyncIterator<unknown> = lists[list]()[Symbol.asyncIterator]();
      equal((await items.next()).done, false, 'whether the list ended before its first item');
      const reason = new Error('no longer wanted');
      controller.abort(reason);
      await rejectsBecauseOf(settles(items.next(), 'the next item'), reason, 'the next item');
      equal((await items.next()).done, true, 'whether the list has ended after it was aborted');
    });
  }

  test('ends reading in the middle of a blob', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(6 * 1024 * 1024);
    await origin.pushBlob(name, descriptor, bytes);
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const content = await registry.getBlob(name, descriptor.digest, { signal: controller.signal });
    holds((await content.readInto(new Uint8Array(1000))) > 0, 'expected the first bytes, but there are none');
    controller.abort(reason);
    const rest = async (): Promise<void> => {
      const buffer = new Uint8Array(64 * 1024);
      while ((await content.readInto(buffer)) > 0);
    };
    await rejectsBecauseOf(settles(rest(), 'reading the rest'), reason, 'reading the rest');
  });

  test('ends reading before the first byte', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(5000);
    await origin.pushBlob(name, descriptor, bytes);
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const content = await registry.getBlob(name, descriptor.digest, { signal: controller.signal });
    controller.abort(reason);
    await rejectsBecauseOf(settles(content.bytes(), 'bytes()'), reason, 'bytes()');
  });

  test('ends a push whose source hangs, and stores nothing', ['writing'], async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(5000);
    const source = openSource(bytes.subarray(0, 1000));
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const push = registry.pushBlob(name, descriptor, source, { signal: controller.signal });
    await settles(Promise.race([source.waiting, push]), 'reading the source');
    controller.abort(reason);
    await rejectsBecauseOf(settles(push, 'pushBlob'), reason, 'pushBlob');
    await released(source);
    await assertNoRepository(scene, name, descriptor.digest);
    await registry.pushBlob(name, descriptor, bytes);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('ends an append whose source hangs, and the upload can be resumed', ['writing'], async (scene) => {
    const { registry } = scene;
    const name = scene.repository();
    const upload = await registry.startUpload(name);
    const length = chunkLength(upload, 1000);
    const { descriptor, bytes } = randomBlob(length * 3);
    await upload.append(bytes.subarray(0, length));
    const source = openSource(bytes.subarray(length, length * 2));
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const append = upload.append(source, { signal: controller.signal });
    await settles(Promise.race([source.waiting, append]), 'reading the source');
    controller.abort(reason);
    await rejectsBecauseOf(settles(append, 'append'), reason, 'append');
    await released(source);
    const resumed = await resumedAndFilled(scene, name, upload.id, bytes);
    await resumed.commit(descriptor.digest);
    await assertBlob(registry, name, descriptor, bytes);
  });

  test('does not affect a call that is over', async ({ registry, origin, repository }) => {
    const name = repository();
    const controller = new AbortController();
    const { signal } = controller;
    const image = await pushImage(origin, name, { tags: ['v1'] });
    await pushContent(
      origin,
      name,
      artifactOf({ artifactType: 'application/vnd.example.a', subject: image.descriptor }),
    );
    const content = await registry.getBlob(name, image.blobs[0]?.descriptor.digest ?? 'sha256:', { signal });
    const read = await content.bytes();
    const manifest = await registry.getTag(name, 'v1', { signal });
    const referrers = await collect(registry.referrers(name, image.descriptor.digest, { signal }));
    controller.abort(new Error('too late'));
    equal(read.length, image.blobs[0]?.bytes.length, 'the bytes that were read');
    equal(manifest.bytes.length, image.bytes.length, 'the bytes of the manifest');
    equal(referrers.length, 1, 'the referrers');
  });
});

async function released(source: OpenSource): Promise<void> {
  for (let attempt = 0; attempt < 3000 && !source.released; attempt++) await pause(10);
  holds(source.released, 'expected the source to be released, but it is still open');
}

/**
 * Resumes the upload and appends the rest of the bytes. A remote registry learns that a call was aborted only when the
 * connection ends, and writes until then: so this tries again while the upload is busy.
 */
async function resumedAndFilled(
  { registry, traits }: Scene,
  name: string,
  id: string,
  bytes: Uint8Array,
): Promise<BlobUpload> {
  for (let attempt = 0; ; attempt++) {
    const resumed = await registry.resumeUpload(name, id);
    const { size } = resumed;
    try {
      await resumed.append(bytes.subarray(size), { at: size });
      return resumed;
    } catch (error) {
      const writing = traits.remote === true && isRegistryError(error, 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID');
      if (!writing || attempt === 1500) throw error;
      await pause(20);
    }
  }
}

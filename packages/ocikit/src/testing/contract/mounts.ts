// Cases for mounting blobs from one repository into another.
import {
  algorithms,
  assertBlob,
  assertNoBlob,
  assertNoRepository,
  equal,
  group,
  mountedIn,
  rejects,
  rejectsBecauseOf,
  uploadIn,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { randomBlob } from '../content/index.ts';

/** The cases for `mountBlob`. */
export const mounting: DefineGroup = group('mounting', ['writing'], (test) => {
  for (const algorithm of algorithms) {
    test(`puts a ${algorithm} blob of a named repository into another`, async ({ registry, repository }) => {
      const [from, to] = [repository(), repository()];
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      await registry.pushBlob(from, descriptor, bytes);
      equal(mountedIn(await registry.mountBlob(from, to, descriptor.digest)), descriptor, 'the result of mountBlob');
      await assertBlob(registry, to, descriptor, bytes);
      await assertBlob(registry, from, descriptor, bytes);
    });

    test(`finds a ${algorithm} blob without being told a repository`, ['anonymous mount'], async (scene) => {
      const { registry } = scene;
      const [from, to] = [scene.repository(), scene.repository()];
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      await registry.pushBlob(from, descriptor, bytes);
      equal(
        mountedIn(await registry.mountBlob(undefined, to, descriptor.digest)),
        descriptor,
        'the result of mountBlob',
      );
      await assertBlob(registry, to, descriptor, bytes);
    });

    test(`begins an upload for a ${algorithm} blob that is missing`, async ({ registry, repository }) => {
      const [from, to] = [repository(), repository()];
      const other = randomBlob();
      await registry.pushBlob(from, other.descriptor, other.bytes);
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      const { digest } = descriptor;
      for (const source of [from, undefined]) {
        const upload = uploadIn(await registry.mountBlob(source, to, digest, { algorithm }), 'an unknown blob');
        equal(upload.size, 0, 'the size of the upload');
        await upload.append(bytes);
        await upload.commit(digest);
        await assertBlob(registry, to, descriptor, bytes);
        await registry.deleteBlob(to, digest);
      }
    });
  }

  test('begins an upload if only another repository than the named one has the blob', async (scene) => {
    const { registry } = scene;
    const [named, has, to] = [scene.repository(), scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    const other = randomBlob();
    await registry.pushBlob(has, descriptor, bytes);
    await registry.pushBlob(named, other.descriptor, other.bytes);
    const result = await registry.mountBlob(named, to, descriptor.digest);
    equal(result.descriptor, undefined, 'the mounted blob');
    await assertNoRepository(scene, to, descriptor.digest);
    await result.upload?.commit(descriptor.digest, { source: bytes });
    await assertBlob(registry, to, descriptor, bytes);
  });

  test('begins an upload if the named repository does not exist', async (scene) => {
    const { registry } = scene;
    const [from, to] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    const upload = uploadIn(await registry.mountBlob(from, to, descriptor.digest), 'an unknown repository');
    await assertNoRepository(scene, from, descriptor.digest);
    await assertNoRepository(scene, to, descriptor.digest);
    await upload.commit(descriptor.digest, { source: bytes });
    await assertBlob(registry, to, descriptor, bytes);
  });

  test('asks a function which repositories to mount from', ['anonymous mount', 'functions'], async (scene) => {
    const { registry, repository } = scene;
    const [a, b, to] = [repository(), repository(), repository()];
    const { descriptor, bytes } = randomBlob();
    for (const name of [a, b]) await registry.pushBlob(name, descriptor, bytes);
    const asked: string[] = [];
    const result = await registry.mountBlob(
      async (name) => {
        asked.push(name);
        return name === b;
      },
      to,
      descriptor.digest,
    );
    equal(
      asked.filter((name) => name !== a && name !== b),
      [],
      'the repositories it was asked about that lack the blob',
    );
    // A registry that remembers only one of the repositories may have asked about the other alone.
    if (asked.includes(b)) equal(mountedIn(result), descriptor, 'the result of mountBlob');
    return result.upload?.cancel();
  });

  test('mounts nothing if a function forbids the repository', async (scene) => {
    const { registry } = scene;
    const [from, to] = [scene.repository(), scene.repository()];
    for (const algorithm of algorithms) {
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      await registry.pushBlob(from, descriptor, bytes);
      const upload = uploadIn(await registry.mountBlob(() => false, to, descriptor.digest), 'a forbidden repository');
      await assertNoRepository(scene, to, descriptor.digest);
      await upload.commit(descriptor.digest, { source: bytes });
      await assertBlob(registry, to, descriptor, bytes);
      await registry.deleteBlob(to, descriptor.digest);
    }
  });

  test('mounts nothing if a function fails', ['anonymous mount', 'functions'], async (scene) => {
    const [from, to] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    await scene.registry.pushBlob(from, descriptor, bytes);
    const reason = new Error('permissions are unavailable');
    const call = scene.registry.mountBlob(() => Promise.reject(reason), to, descriptor.digest);
    await rejectsBecauseOf(call, reason, 'mountBlob');
    await assertNoRepository(scene, to, descriptor.digest);
  });

  test('mounts a blob from the repository itself, if it has the blob', async ({ registry, repository }) => {
    const name = repository();
    const [has, lacks] = [randomBlob(), randomBlob()];
    await registry.pushBlob(name, has.descriptor, has.bytes);
    equal(
      mountedIn(await registry.mountBlob(name, name, has.descriptor.digest)),
      has.descriptor,
      'the result of mountBlob',
    );
    await assertBlob(registry, name, has.descriptor, has.bytes);
    const upload = uploadIn(await registry.mountBlob(name, name, lacks.descriptor.digest), 'an unknown blob');
    await upload.cancel();
    await assertNoBlob(registry, name, lacks.descriptor.digest);
  });

  test('mounts a blob that exists already', async ({ registry, repository }) => {
    const [from, to] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(from, descriptor, bytes);
    for (let time = 0; time < 2; time++) {
      equal(mountedIn(await registry.mountBlob(from, to, descriptor.digest)), descriptor, 'the result of mountBlob');
    }
    await assertBlob(registry, to, descriptor, bytes);
  });

  test('creates the repository that it mounts into', async (scene) => {
    const [from, to] = [scene.repository('a'), scene.repository('b')];
    const { descriptor, bytes } = randomBlob();
    await scene.registry.pushBlob(from, descriptor, bytes);
    await scene.registry.mountBlob(from, to, descriptor.digest);
    equal(await scene.listed(), [from, to], 'the repositories that are listed');
  });

  for (const deleted of ['from', 'to'] as const) {
    test(`keeps the blob in the other repository when it is deleted where it was mounted ${deleted}`, async (scene) => {
      const { registry } = scene;
      const names = { from: scene.repository(), to: scene.repository() };
      const kept = deleted === 'from' ? names.to : names.from;
      const { descriptor, bytes } = randomBlob();
      await registry.pushBlob(names.from, descriptor, bytes);
      await registry.mountBlob(names.from, names.to, descriptor.digest);
      await registry.deleteBlob(names[deleted], descriptor.digest);
      await assertBlob(registry, kept, descriptor, bytes);
      await assertNoRepository(scene, names[deleted], descriptor.digest);
    });
  }

  test('does not find a blob that was deleted everywhere', async ({ registry, repository }) => {
    const [from, to] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(from, descriptor, bytes);
    await registry.deleteBlob(from, descriptor.digest);
    for (const source of [from, undefined]) {
      const upload = uploadIn(await registry.mountBlob(source, to, descriptor.digest), 'a deleted blob');
      await upload.cancel();
    }
  });
});

/** The cases for `mountBlob` with malformed names. */
export const failingMounts: DefineGroup = group('mounting with a malformed name', ['writing'], (test) => {
  test('is refused for either repository', async ({ registry, repository }) => {
    const name = repository();
    const { digest } = randomBlob().descriptor;
    for (const malformed of ['UPPER', 'a//b', 'a:tag', 'x'.repeat(256)]) {
      await rejects(registry.mountBlob(malformed, name, digest), 'NAME_INVALID', `from ${malformed}`);
      await rejects(registry.mountBlob(name, malformed, digest), 'NAME_INVALID', `into ${malformed}`);
    }
  });
});

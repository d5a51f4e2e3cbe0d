import type { MountResult } from '../../model/index.ts';
import {
  algorithms,
  assertBlob,
  assertNoBlob,
  assertNoRepository,
  ContractError,
  equal,
  group,
  identityOf,
  rejects,
  rejectsBecauseOf,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { randomBlob } from '../content/index.ts';

export const mounting: DefineGroup = group('mounting', ['writing'], (it) => {
  for (const algorithm of algorithms) {
    it(`makes a ${algorithm} blob of a named repository one of another`, async ({ registry, repository }) => {
      const [from, to] = [repository(), repository()];
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      await registry.pushBlob(from, descriptor, bytes);
      equal(mounted(await registry.mountBlob(from, to, descriptor.digest)), descriptor, 'what mountBlob returns');
      await assertBlob(registry, to, descriptor, bytes);
      await assertBlob(registry, from, descriptor, bytes);
    });

    it(`finds a ${algorithm} blob by itself if no repository is named`, ['anonymous mount'], async (scene) => {
      const { registry } = scene;
      const [from, to] = [scene.repository(), scene.repository()];
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      await registry.pushBlob(from, descriptor, bytes);
      equal(mounted(await registry.mountBlob(undefined, to, descriptor.digest)), descriptor, 'what mountBlob returns');
      await assertBlob(registry, to, descriptor, bytes);
    });

    it(`begins an upload for a ${algorithm} blob that is not there`, async ({ registry, repository }) => {
      const [from, to] = [repository(), repository()];
      const other = randomBlob();
      await registry.pushBlob(from, other.descriptor, other.bytes);
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      const { digest } = descriptor;
      for (const source of [from, undefined]) {
        const { upload } = await registry.mountBlob(source, to, digest, { algorithm });
        if (upload === undefined) throw new ContractError('an unknown blob was mounted');
        equal(upload.size, 0, 'the size of the upload');
        await upload.append(bytes);
        await upload.commit(digest);
        await assertBlob(registry, to, descriptor, bytes);
        await registry.deleteBlob(to, digest);
      }
    });
  }

  it('begins an upload if the named repository lacks what another one has', async (scene) => {
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

  it('begins an upload if the named repository does not exist', async (scene) => {
    const { registry } = scene;
    const [from, to] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    const { upload } = await registry.mountBlob(from, to, descriptor.digest);
    if (upload === undefined) throw new ContractError('a blob was mounted from an unknown repository');
    await assertNoRepository(scene, from, descriptor.digest);
    await assertNoRepository(scene, to, descriptor.digest);
    await upload.commit(descriptor.digest, { source: bytes });
    await assertBlob(registry, to, descriptor, bytes);
  });

  it('asks a function where it may be mounted from', ['anonymous mount', 'functions'], async (scene) => {
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
      'what it was asked that does not have the blob',
    );
    // Who knows one of the repositories only may not have known this one.
    if (asked.includes(b)) equal(mounted(result), descriptor, 'what mountBlob returns');
    return result.upload?.cancel();
  });

  it('mounts nothing from where a function forbids it', async (scene) => {
    const { registry } = scene;
    const [from, to] = [scene.repository(), scene.repository()];
    for (const algorithm of algorithms) {
      const { descriptor, bytes } = randomBlob(1000, { algorithm });
      await registry.pushBlob(from, descriptor, bytes);
      const { upload } = await registry.mountBlob(() => false, to, descriptor.digest);
      if (upload === undefined) throw new ContractError('a blob was mounted from where that is forbidden');
      await assertNoRepository(scene, to, descriptor.digest);
      await upload.commit(descriptor.digest, { source: bytes });
      await assertBlob(registry, to, descriptor, bytes);
      await registry.deleteBlob(to, descriptor.digest);
    }
  });

  it('mounts nothing if a function fails', ['anonymous mount', 'functions'], async (scene) => {
    const [from, to] = [scene.repository(), scene.repository()];
    const { descriptor, bytes } = randomBlob();
    await scene.registry.pushBlob(from, descriptor, bytes);
    const reason = new Error('who may read this cannot be found out');
    const call = scene.registry.mountBlob(() => Promise.reject(reason), to, descriptor.digest);
    await rejectsBecauseOf(call, reason, 'mountBlob');
    await assertNoRepository(scene, to, descriptor.digest);
  });

  it('mounts a blob from the repository itself, if that has it', async ({ registry, repository }) => {
    const name = repository();
    const [has, lacks] = [randomBlob(), randomBlob()];
    await registry.pushBlob(name, has.descriptor, has.bytes);
    equal(
      mounted(await registry.mountBlob(name, name, has.descriptor.digest)),
      has.descriptor,
      'what mountBlob returns',
    );
    await assertBlob(registry, name, has.descriptor, has.bytes);
    const { upload } = await registry.mountBlob(name, name, lacks.descriptor.digest);
    if (upload === undefined) throw new ContractError('an unknown blob was mounted');
    await upload.cancel();
    await assertNoBlob(registry, name, lacks.descriptor.digest);
  });

  it('mounts a blob that is there already', async ({ registry, repository }) => {
    const [from, to] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(from, descriptor, bytes);
    for (let time = 0; time < 2; time++) {
      equal(mounted(await registry.mountBlob(from, to, descriptor.digest)), descriptor, 'what mountBlob returns');
    }
    await assertBlob(registry, to, descriptor, bytes);
  });

  it('makes the repository exist by mounting into it', async (scene) => {
    const [from, to] = [scene.repository('a'), scene.repository('b')];
    const { descriptor, bytes } = randomBlob();
    await scene.registry.pushBlob(from, descriptor, bytes);
    await scene.registry.mountBlob(from, to, descriptor.digest);
    equal(await scene.listed(), [from, to], 'the repositories that are listed');
  });

  for (const deleted of ['from', 'to'] as const) {
    it(`keeps the blob in the other repository when it is deleted where it was mounted ${deleted}`, async (scene) => {
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

  it('does not find what was deleted everywhere', async ({ registry, repository }) => {
    const [from, to] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob();
    await registry.pushBlob(from, descriptor, bytes);
    await registry.deleteBlob(from, descriptor.digest);
    for (const source of [from, undefined]) {
      const { upload } = await registry.mountBlob(source, to, descriptor.digest);
      if (upload === undefined) throw new ContractError(`a deleted blob was mounted from ${source ?? 'somewhere'}`);
      await upload.cancel();
    }
  });
});

export const failingMounts: DefineGroup = group('mounts that make no sense', ['writing'], (it) => {
  it('refuses a malformed name, wherever it stands', async ({ registry, repository }) => {
    const name = repository();
    const { digest } = randomBlob().descriptor;
    for (const malformed of ['UPPER', 'a//b', 'a:tag', 'x'.repeat(256)]) {
      await rejects(registry.mountBlob(malformed, name, digest), 'NAME_INVALID', `from ${malformed}`);
      await rejects(registry.mountBlob(name, malformed, digest), 'NAME_INVALID', `into ${malformed}`);
    }
  });
});

function mounted(result: MountResult): unknown {
  if (result.descriptor === undefined) throw new ContractError('the blob was not mounted: an upload has begun');
  return identityOf(result.descriptor);
}

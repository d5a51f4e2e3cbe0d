import { afterEach, describe, expect, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { collect, digestOf, readSource, RegistryError } from '../../model/index.ts';
import type { Digest, Registry, TransferEvent } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, pushContent, randomBlob } from '../../testing/index.ts';
import { createTestServer, cutRequests, refuseRequests } from '../../testing/node.ts';
import type { TestServer } from '../../testing/node.ts';

import { changed, failing, watched } from '../../../test/members.ts';

import { PartialWriteError, unify } from './index.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

const down = new RegistryError('UNAVAILABLE', 'down', { retryAfter: 9 });
const denied = new RegistryError('DENIED', 'no');
const blob = randomBlob(300_000);
const { digest } = blob.descriptor;

const memories = (count: number): Registry[] => Array.from({ length: count }, () => createMemoryRegistry());

async function* inPieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function has(registry: Registry | undefined, asked: Digest = digest): Promise<boolean> {
  return registry !== undefined && (await registry.resolveBlob('a', asked).then(...settled));
}

async function hasManifest(registry: Registry | undefined, reference: string): Promise<boolean> {
  if (registry === undefined) return false;
  if (!reference.includes(':')) return registry.resolveTag('a', reference).then(...settled);
  return registry.resolveManifest('a', reference as Digest).then(...settled);
}

const settled = [() => true, () => false] as const;

/** Fails in the middle of a blob, after this many bytes. */
function failingAt(registry: Registry, after: number, error: unknown): Registry {
  return changed(registry, {
    async pushBlob(_repository, _blob, source) {
      let came = 0;
      for await (const piece of readSource(source)) {
        came += piece.length;
        if (came >= after) throw error;
      }
      throw new Error('the source has ended');
    },
  });
}

describe('a blob that is pushed to several', () => {
  test('is stored in all members, from any source, with the events of one transfer', async () => {
    for (const source of [
      blob.bytes,
      () => inPieces(blob.bytes),
      inPieces(blob.bytes),
      new Blob([blob.bytes.slice()]),
    ]) {
      const members = memories(3);
      const events: TransferEvent[] = [];
      const stored = await unify(members).pushBlob('a', blob.descriptor, source, {
        onEvent: (event) => events.push(event),
      });
      expect(stored.digest).toBe(digest);
      expect(await Promise.all(members.map((member) => has(member)))).toEqual([true, true, true]);
      const types = events.map(({ type }) => type);
      expect([types[0], ...types.slice(-2)]).toEqual(['started', 'verified', 'done']);
      expect(types.filter((type) => type !== 'bytes')).toHaveLength(3);
    }
  });

  test('is read from its source no faster than the slowest member reads, and at most one piece is held', async () => {
    const total = 64 * 1024 * 1024;
    const piece = new Uint8Array(64 * 1024);
    let taken = 0;
    let consumed = 0;
    let most = 0;
    const source = async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
      while (taken < total) {
        taken += piece.length;
        yield piece;
      }
    };
    const slow = changed(createMemoryRegistry(), {
      async pushBlob(_repository, { digest: asked }, given) {
        for await (const each of readSource(given)) {
          most = Math.max(most, taken - consumed);
          consumed += each.length;
          if (consumed % (1024 * 1024) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
        }
        return { mediaType: 'application/octet-stream', digest: asked, size: consumed };
      },
    });
    const fast = changed(slow, {
      async pushBlob(_repository, { digest: asked }, given) {
        let size = 0;
        for await (const each of readSource(given)) size += each.length;
        return { mediaType: 'application/octet-stream', digest: asked, size };
      },
    });
    await unify([fast, slow, fast]).pushBlob('a', { digest }, source());
    expect(consumed).toBe(total);
    expect(most).toBe(piece.length);
  });

  test.each([0, 1])('is stored also if member %i has it and does not read it', async (lazy) => {
    const members = memories(2);
    const [has0 = createMemoryRegistry(), other = createMemoryRegistry()] = members;
    const lazyMember = changed(has0, { pushBlob: async () => blob.descriptor });
    const registry = unify(lazy === 0 ? [lazyMember, other] : [other, lazyMember]);
    await registry.pushBlob('a', blob.descriptor, inPieces(blob.bytes));
    expect(await has(other)).toBe(true);
  });

  test.each([
    ['at its call', (registry: Registry) => failing(registry, down)],
    ['at its first byte', (registry: Registry) => failingAt(registry, 1, down)],
    ['in the middle', (registry: Registry) => failingAt(registry, 150_000, down)],
    ['at its last byte', (registry: Registry) => failingAt(registry, 300_000, down)],
  ])(
    'is stored in the others if one fails %s; the error says who has it, and pushed again it is complete',
    async (_when, fail) => {
      for (const failed of [0, 1, 2]) {
        const stores = memories(3);
        const members = stores.map((store, i) => (i === failed ? fail(store) : store));
        const call = unify(members).pushBlob('a', blob.descriptor, inPieces(blob.bytes));
        const error = await call.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(PartialWriteError);
        const done = [0, 1, 2].filter((i) => i !== failed);
        expect(error).toMatchObject({
          code: 'UNAVAILABLE',
          retryAfter: 9,
          done,
          failed: [{ member: failed, error: down }],
          detail: { done, failed: [{ member: failed, code: 'UNAVAILABLE' }] },
          cause: down,
        });
        expect(await Promise.all(stores.map((store) => has(store)))).toEqual([0, 1, 2].map((i) => i !== failed));
        await unify(stores).pushBlob('a', blob.descriptor, inPieces(blob.bytes));
        expect(await has(stores[failed])).toBe(true);
      }
    },
  );

  test('fails as one registry does if no member has stored it', async () => {
    await expect(
      unify([failing(createMemoryRegistry(), down), failing(createMemoryRegistry(), denied)]).pushBlob(
        'a',
        blob.descriptor,
        blob.bytes,
      ),
    ).rejects.toBe(denied);
    const wrong = unify(memories(2)).pushBlob('a', blob.descriptor, inPieces(new Uint8Array(300_000)));
    await expect(wrong).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    await expect(wrong).rejects.not.toBeInstanceOf(PartialWriteError);
  });

  test('fails without revealing internals of a member’s error', async () => {
    const secret = new Error('EACCES: /home/alice/.secrets');
    const call = unify([createMemoryRegistry(), failing(createMemoryRegistry(), secret)]).pushBlob(
      'a',
      blob.descriptor,
      blob.bytes,
    );
    const error = await call.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNKNOWN', failed: [{ member: 1, error: secret }] });
    expect(String(error) + JSON.stringify((error as RegistryError).detail)).not.toContain('alice');
  });

  test('is not stored if a member says that it has stored other content', async () => {
    const odd = changed(createMemoryRegistry(), { pushBlob: async () => randomBlob(10).descriptor });
    const call = unify([createMemoryRegistry(), odd]).pushBlob('a', blob.descriptor, blob.bytes);
    await expect(call).rejects.toMatchObject({ done: [0] });
  });

  test('fails with its source’s error, and is stored nowhere', async () => {
    const members = memories(2);
    const reason = new Error('the network is gone');
    const source = async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
      yield blob.bytes.subarray(0, 1000);
      throw reason;
    };
    await expect(unify(members).pushBlob('a', blob.descriptor, source())).rejects.toBe(reason);
    const lazy = changed(createMemoryRegistry(), { pushBlob: async () => blob.descriptor });
    await expect(unify([lazy, ...members]).pushBlob('a', blob.descriptor, source())).rejects.toBe(reason);
    expect(await Promise.all(members.map((member) => has(member)))).toEqual([false, false]);
  });

  test('ends in all of them with the error that the listener throws', async () => {
    const reason = new Error('enough');
    const hanging = changed(createMemoryRegistry(), {
      async pushBlob(_repository, _blob, source, options) {
        for await (const { length } of readSource(source)) {
          options?.onEvent?.({ type: 'bytes', repository: 'a', transferred: length });
          break;
        }
        return new Promise((_resolve, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
        });
      },
    });
    const store = createMemoryRegistry();
    const onEvent = ({ type }: TransferEvent): void => {
      if (type === 'bytes') throw reason;
    };
    const call = unify([hanging, store]).pushBlob('a', blob.descriptor, inPieces(blob.bytes), { onEvent });
    await expect(call).rejects.toBe(reason);
    expect(await has(store)).toBe(false);
  });

  test('is stored by a client whose connection is cut: a source that can be opened again is sent again', async () => {
    const server = await createTestServer();
    cleanUp.push(() => server.close());
    server.inject(cutRequests({ methods: ['PUT', 'PATCH'], resources: ['upload'], times: 1 }));
    const memory = createMemoryRegistry();
    const large = randomBlob(6_000_000);
    const registry = unify([clientOf(server, 5), memory]);
    await registry.pushBlob('a', large.descriptor, () => inPieces(large.bytes, 60_000));
    expect([await has(server.registry, large.descriptor.digest), await has(memory, large.descriptor.digest)]).toEqual([
      true,
      true,
    ]);
  });

  test('is stored in the other if a client’s server is cut for good in the middle of a stream', async () => {
    const server = await createTestServer();
    cleanUp.push(() => server.close());
    server.inject(cutRequests({ methods: ['PUT', 'PATCH'], resources: ['upload'] }));
    const memory = createMemoryRegistry();
    const large = randomBlob(6_000_000);
    const call = unify([clientOf(server, 2), memory]).pushBlob('a', large.descriptor, inPieces(large.bytes, 60_000));
    await expect(call).rejects.toMatchObject({ done: [1] });
    expect([await has(server.registry, large.descriptor.digest), await has(memory, large.descriptor.digest)]).toEqual([
      false,
      true,
    ]);
  });

  test('does not wait for ever where two pushes each hold the connection that the other one needs', async () => {
    const servers = [await createTestServer(), await createTestServer()];
    for (const [i, server] of servers.entries()) {
      cleanUp.push(() => server.close());
      // Which push is sent first is another one at each.
      server.inject(async (exchange, next) => {
        if (exchange.method === 'POST' && exchange.path.startsWith(`/v2/${i}/`)) {
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
        return next(exchange);
      });
    }
    const registry = unify(servers.map((server) => clientOf(server, 3, 1)));
    const blobs = ['0', '1'].map((repository) => Object.assign(randomBlob(3_000_000), { repository }));
    await Promise.all(
      blobs.map(({ repository, descriptor, bytes }) =>
        registry.pushBlob(repository, descriptor, inPieces(bytes, 60_000)),
      ),
    );
    for (const { repository, descriptor } of blobs) {
      for (const server of servers) {
        expect((await server.registry.resolveBlob(repository, descriptor.digest)).size).toBe(3_000_000);
      }
    }
  });
});

describe('a manifest that is pushed to several', () => {
  const image = imageOf();

  test('is stored in all members, with one event', async () => {
    const members = memories(3);
    const events: TransferEvent[] = [];
    const registry = unify(members);
    await pushContent(registry, 'a', image);
    const { bytes, mediaType } = image;
    const pushed = await registry.pushManifest('a', bytes, mediaType, {
      tags: ['v1', 'v2'],
      onEvent: (event) => events.push(event),
    });
    expect(pushed).toMatchObject({ descriptor: image.descriptor, tags: ['v1', 'v2'] });
    for (const member of members) expect(await hasManifest(member, 'v2')).toBe(true);
    expect(events).toEqual([{ type: 'done', repository: 'a', digest: image.descriptor.digest, size: bytes.length }]);
  });

  test('changes nothing anywhere if the first member refuses it', async () => {
    const members = memories(2);
    const call = unify(members).pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
    await expect(call).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' });
    const refusing = unify([failing(createMemoryRegistry(), denied), members[1] ?? createMemoryRegistry()]);
    await expect(pushContent(refusing, 'a', indexOf([]), { tags: ['v1'] })).rejects.toBe(denied);
    expect(await collect(unify(members).repositories())).toEqual([]);
  });

  test('is stored in the others if one that follows fails, and pushed again it is complete', async () => {
    const stores = memories(3);
    await pushContent(unify(stores), 'a', image);
    const next = indexOf([image]);
    const { bytes, mediaType } = next;
    const members = stores.map((store, i) =>
      i === 1 ? changed(store, { pushManifest: () => Promise.reject(down) }) : store,
    );
    const call = unify(members).pushManifest('a', bytes, mediaType, { tags: ['v1'] });
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', done: [0, 2], failed: [{ member: 1 }] });
    expect(await Promise.all(stores.map((store) => hasManifest(store, 'v1')))).toEqual([true, false, true]);
    await unify(stores).pushManifest('a', bytes, mediaType, { tags: ['v1'] });
    expect(await hasManifest(stores[1], 'v1')).toBe(true);
  });

  test('ends with the caller’s signal, even if some members have it already', async () => {
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const hanging = changed(createMemoryRegistry(), {
      pushManifest: (_repository, _bytes, _mediaType, options) => {
        setTimeout(() => controller.abort(reason), 5);
        return new Promise((_resolve, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
        });
      },
    });
    const { bytes, mediaType } = indexOf([]);
    const call = unify([createMemoryRegistry(), hanging]).pushManifest('a', bytes, mediaType, {
      signal: controller.signal,
    });
    await expect(call).rejects.toBe(reason);
  });

  test('is not stored in a member that says that it has stored other content', async () => {
    const store = createMemoryRegistry();
    const odd = changed(store, {
      pushManifest: async (...args) => ({ ...(await store.pushManifest(...args)), descriptor: image.descriptor }),
    });
    const { bytes, mediaType } = indexOf([]);
    const call = unify([createMemoryRegistry(), odd]).pushManifest('a', bytes, mediaType);
    await expect(call).rejects.toMatchObject({ done: [0], failed: [{ member: 1 }] });
  });

  test('copies content that only one member has to the others, as a client that saw it there does not push it', async () => {
    const stores = memories(3);
    const registry = unify(stores);
    const [config, layer] = image.blobs;
    if (config === undefined || layer === undefined) throw new Error('an image has two blobs');
    await stores[0]?.pushBlob('a', config.descriptor, config.bytes);
    await stores[2]?.pushBlob('a', layer.descriptor, layer.bytes);
    for (const { descriptor } of [config, layer]) await registry.resolveBlob('a', descriptor.digest);
    await registry.pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
    for (const store of stores) {
      expect(await hasManifest(store, 'v1')).toBe(true);
      for (const { descriptor } of [config, layer]) expect(await has(store, descriptor.digest)).toBe(true);
    }
  });

  test('copies manifests with all content that they name, at any depth', async () => {
    const stores = memories(2);
    const inner = indexOf([imageOf(), imageOf()]);
    await pushContent(stores[1] ?? createMemoryRegistry(), 'a', inner);
    const outer = indexOf([inner]);
    await unify(stores).pushManifest('a', outer.bytes, outer.mediaType, { tags: ['v1'] });
    for (const { descriptor, blobs } of [inner, ...inner.manifests]) {
      expect(await hasManifest(stores[0], descriptor.digest)).toBe(true);
      for (const each of blobs) expect(await has(stores[0], each.descriptor.digest)).toBe(true);
    }
  });

  test('copies its content to the member that is written to, from members that are not', async () => {
    const [local = createMemoryRegistry(), upstream = createMemoryRegistry()] = memories(2);
    for (const { descriptor, bytes } of image.blobs) await upstream.pushBlob('a', descriptor, bytes);
    await unify([upstream, local], { write: local }).pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
    expect([await hasManifest(local, 'v1'), await hasManifest(upstream, 'v1')]).toEqual([true, false]);
  });

  test('fails with the error of copying its content, unless that content is missing', async () => {
    const stores = memories(2);
    const [store = createMemoryRegistry()] = stores;
    for (const { descriptor, bytes } of image.blobs) await store.pushBlob('a', descriptor, bytes);
    const full = changed(stores[1] ?? store, { pushBlob: () => Promise.reject(down) });
    const call = unify([store, full]).pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', done: [0], failed: [{ member: 1, error: down }] });
  });

  test('leaves no content open if a member accepts copied content without reading it', async () => {
    const store = createMemoryRegistry();
    for (const { descriptor, bytes } of image.blobs) await store.pushBlob('a', descriptor, bytes);
    const told = watched(store);
    const opening = changed(createMemoryRegistry(), {
      async pushBlob(_repository, _blob, source) {
        if (typeof source === 'function') await source();
        throw down;
      },
    });
    const call = unify([told.registry, opening]).pushManifest('a', image.bytes, image.mediaType);
    await expect(call).rejects.toMatchObject({ done: [0], failed: [{ member: 1, error: down }] });
    expect([told.count, told.open.size]).toEqual([1, 0]);
  });

  test('says that its subject is known', async () => {
    const registry = unify(memories(2));
    await pushContent(registry, 'a', image);
    const artifact = artifactOf({ artifactType: 'application/vnd.example', subject: image.descriptor });
    const pushed = await pushContent(registry, 'a', artifact);
    expect(pushed.subject).toBe(image.descriptor.digest);
  });
});

describe('a condition on a tag', () => {
  const [first, second, third] = [
    indexOf([]),
    indexOf([], { annotations: { a: '2' } }),
    indexOf([], { annotations: { a: '3' } }),
  ];
  const push = (registry: Registry, { bytes, mediaType }: typeof first, ifTag?: Digest | null): Promise<unknown> =>
    registry.pushManifest('a', bytes, mediaType, { tags: ['v1'], ifTag });

  test('is judged by the first member, and the others follow, wherever their tags are', async () => {
    const members = memories(3);
    const [a, b, c] = members;
    await push(unify(members), first);
    if (b !== undefined) await push(b, third);
    if (c !== undefined) await c.deleteTag('a', 'v1');
    await push(unify(members), second, first.descriptor.digest);
    for (const member of [a, b, c])
      expect((await member?.resolveTag('a', 'v1'))?.digest).toBe(second.descriptor.digest);
  });

  test('that does not hold there changes nothing anywhere', async () => {
    const members = memories(2);
    await push(unify(members), first);
    const registry = unify(members);
    for (const ifTag of [null, second.descriptor.digest]) {
      await expect(push(registry, third, ifTag)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    }
    for (const member of members) {
      expect((await member.resolveTag('a', 'v1')).digest).toBe(first.descriptor.digest);
      expect(await hasManifest(member, third.descriptor.digest)).toBe(false);
    }
  });

  test('is not passed to the members that follow, and a repeated push completes a partial one', async () => {
    const stores = memories(2);
    await push(unify(stores), first);
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
    const failingOnce = changed(b, { pushManifest: () => Promise.reject(down) });
    await expect(push(unify([a, failingOnce]), second, first.descriptor.digest)).rejects.toMatchObject({ done: [0] });
    await expect(push(unify(stores), second, first.descriptor.digest)).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await push(unify(stores), second, second.descriptor.digest);
    expect((await b.resolveTag('a', 'v1')).digest).toBe(second.descriptor.digest);
  });

  test('lets exactly one win of two views of the same members', async () => {
    const members = memories(2);
    const views = [unify(members), unify(members)];
    const results = await Promise.allSettled(views.map((view, i) => push(view, i === 0 ? second : third, null)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await views[0]?.resolveTag('a', 'v1')).toEqual(await views[1]?.resolveTag('a', 'v1'));
  });

  test('keeps a tag from being deleted in members where it points elsewhere', async () => {
    const members = memories(3);
    const [a, b, c] = members;
    await push(unify(members), first);
    if (a !== undefined) await a.deleteTag('a', 'v1');
    if (c !== undefined) await push(c, third);
    const registry = unify(members, { tagConflict: 'first' });
    await expect(registry.deleteTag('a', 'v1', { ifTag: second.descriptor.digest })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect([await hasManifest(b, 'v1'), await hasManifest(c, 'v1')]).toEqual([true, true]);
    const call = registry.deleteTag('a', 'v1', { ifTag: first.descriptor.digest });
    await expect(call).rejects.toMatchObject({ code: 'PRECONDITION_FAILED', done: [1], failed: [{ member: 2 }] });
    expect([await hasManifest(b, 'v1'), await hasManifest(c, 'v1')]).toEqual([false, true]);
  });
});

describe('deleting', () => {
  const image = indexOf([]);
  const deletions: readonly [what: string, remove: (registry: Registry) => Promise<void>, code: string][] = [
    ['a blob', (registry) => registry.deleteBlob('a', digest), 'BLOB_UNKNOWN'],
    ['a manifest', (registry) => registry.deleteManifest('a', image.descriptor.digest), 'MANIFEST_UNKNOWN'],
    ['a tag', (registry) => registry.deleteTag('a', 'v1'), 'MANIFEST_UNKNOWN'],
    [
      'a tag on a condition',
      (registry) => registry.deleteTag('a', 'v1', { ifTag: image.descriptor.digest }),
      'MANIFEST_UNKNOWN',
    ],
  ];
  async function holding(): Promise<Registry> {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', blob.descriptor, blob.bytes);
    const kept = randomBlob(10);
    await registry.pushBlob('a', kept.descriptor, kept.bytes);
    await pushContent(registry, 'a', image, { tags: ['v1'] });
    return registry;
  }

  for (const [what, remove, code] of deletions) {
    test(`${what} is done if some have it, and unknown if none has`, async () => {
      const members = [createMemoryRegistry(), await holding(), await holding()];
      const registry = unify(members);
      await remove(registry);
      for (const member of members) await expect(remove(member)).rejects.toThrow();
      await expect(remove(registry)).rejects.toMatchObject({ code });
      await expect(remove(unify(memories(2)))).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    });

    test(`${what} of which one member fails is done in the others, and done again it is complete`, async () => {
      const stores = [await holding(), await holding()];
      const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
      const call = remove(unify([a, failing(b, down)]));
      await expect(call).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        done: [0],
        failed: [{ member: 1, error: down }],
      });
      await expect(remove(unify([a, failing(b, down)]))).rejects.toBe(down);
      await remove(unify([a, b]));
      await expect(remove(b)).rejects.toMatchObject({ code });
    });
  }
});

describe('writing to one member', () => {
  test('leaves the others as they are, and is chosen by place or by registry', async () => {
    for (const choose of [(members: readonly Registry[]) => members[1], () => 1]) {
      const members = memories(3);
      const registry = unify(members, { write: choose(members) });
      await pushContent(registry, 'a', imageOf({ layers: [blob] }), { tags: ['v1'] });
      const upload = await registry.startUpload('b');
      await upload.append(blob.bytes);
      expect((await registry.resumeUpload('b', upload.id)).size).toBe(300_000);
      await upload.commit(digest);
      for (const [i, member] of members.entries()) {
        expect(await collect(member.repositories())).toEqual(i === 1 ? ['a', 'b'] : []);
      }
      expect(await collect(registry.repositories())).toEqual(['a', 'b']);
      await registry.deleteTag('a', 'v1');
    }
  });

  test('is refused if it is none of the members, and so are fewer than two members', () => {
    const members = memories(2);
    for (const write of [2, -1, 0.5, createMemoryRegistry()])
      expect(() => unify(members, { write })).toThrow(TypeError);
    for (const few of [[], memories(1)]) expect(() => unify(few)).toThrow(TypeError);
  });
});

test('a push through a server of several registries over HTTP that fails for a while completes when it is repeated', async () => {
  const servers = [await createTestServer(), await createTestServer()];
  for (const server of servers) cleanUp.push(() => server.close());
  const front = await createTestServer({ registry: unify(servers.map((server) => clientOf(server))) });
  cleanUp.push(() => front.close());
  const end = servers[1]?.inject(refuseRequests({ methods: ['PUT'] }));
  const image = imageOf({ layers: [blob] });
  const client = clientOf(front);
  const error = await pushContent(client, 'a', image, { tags: ['v1'] }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'UNAVAILABLE', status: 503, detail: { done: [0] } });
  end?.();
  // As clients do: what is there is not sent.
  for (const { descriptor, bytes } of image.blobs) {
    if (!(await client.resolveBlob('a', descriptor.digest).then(...settled)))
      await client.pushBlob('a', descriptor, bytes);
  }
  await client.pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
  for (const { registry } of servers) {
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(image.descriptor.digest);
    const content = await registry.getBlob('a', digest);
    expect(digestOf(await content.bytes())).toBe(digest);
  }
});

function clientOf(server: TestServer, attempts = 1, upload = 6): Registry {
  return createClient({
    host: server.host,
    scheme: 'http',
    fetch: server.fetch,
    backOff: { attempts, first: 1, longest: 5 },
    concurrency: { upload },
  });
}

import { afterEach, describe, expect, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { collect, maintenanceOf, RegistryError, toBase64Url } from '../../model/index.ts';
import type { BlobUpload, Digest, Registry, TransferEvent } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { randomBlob } from '../../testing/index.ts';
import { createTestServer, cutRequests } from '../../testing/node.ts';

import { changed, failing } from '../../../test/members.ts';

import { PartialWriteError, unify } from './index.ts';
import { UnifiedUploadIds } from './write/index.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

const down = new RegistryError('UNAVAILABLE', 'down');
const { descriptor, bytes } = randomBlob(10_000);
const { digest } = descriptor;

const memories = (count: number): Registry[] => Array.from({ length: count }, () => createMemoryRegistry());
const has = (registry: Registry | undefined, asked: Digest = digest): Promise<boolean> | false =>
  registry?.resolveBlob('a', asked).then(
    () => true,
    () => false,
  ) ?? false;
const underWay = async (registry: Registry | undefined): Promise<number> =>
  (await (registry === undefined ? undefined : maintenanceOf(registry))?.usage())?.uploads ?? Number.NaN;

/** Registries that note which uploads are given up. */
function noting(count: number): { stores: Registry[]; cancelled: string[] } {
  const cancelled: string[] = [];
  const note = (upload: BlobUpload): BlobUpload => {
    const cancel = upload.cancel.bind(upload);
    return Object.assign(upload, { cancel: () => (cancelled.push(upload.id), cancel()) });
  };
  const stores = memories(count).map((store) =>
    changed(store, {
      startUpload: async (...args) => note(await store.startUpload(...args)),
      async mountBlob(...args) {
        const { upload } = await store.mountBlob(...args);
        if (upload === undefined) throw new Error('there is nothing to mount');
        return { upload: note(upload) };
      },
    }),
  );
  return { stores, cancelled };
}

/** Its uploads fail once, when this many bytes have arrived in all. The bytes before stay. */
function stopping(registry: Registry, at: number): Registry {
  let stops = true;
  const stoppingUpload = (upload: BlobUpload): BlobUpload => ({
    get id() {
      return upload.id;
    },
    get size() {
      return upload.size;
    },
    async append(source, options) {
      if (!stops) return upload.append(source, options);
      stops = false;
      const pieces = source as AsyncIterable<Uint8Array>;
      await upload.append(firstOf(pieces, at), { at: options?.at });
      throw down;
    },
    commit: (...args) => upload.commit(...args),
    close: () => upload.close(),
    cancel: () => upload.cancel(),
    [Symbol.asyncDispose]: () => upload.close(),
  });
  return changed(registry, {
    startUpload: async (...args) => stoppingUpload(await registry.startUpload(...args)),
    resumeUpload: async (...args) => stoppingUpload(await registry.resumeUpload(...args)),
  });
}

async function* firstOf(pieces: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  for await (const piece of pieces) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return;
  }
}

async function* inPieces(all: Uint8Array, size = 1000): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}

describe('the id of an upload in several members', () => {
  test('can be resumed by another process', async () => {
    const members = memories(3);
    const upload = await unify(members).startUpload('a');
    await upload.append(bytes.subarray(0, 4000));
    const resumed = await unify(members).resumeUpload('a', upload.id, { offset: 4000 });
    await resumed.append(bytes.subarray(4000));
    await (await unify(members).resumeUpload('a', resumed.id)).commit(digest);
    for (const member of members) expect(await has(member)).toBe(true);
  });

  test('is safe in a URL, and short enough for one with twenty members', async () => {
    const { id } = await unify(memories(20)).startUpload('a');
    expect(id).toMatch(/^[\w-]+$/);
    expect(id.length).toBeLessThan(4096);
  });

  test('is unknown if it is malformed in any way, with no other error', async () => {
    const members = memories(2);
    const registry = unify(members);
    const upload = await registry.startUpload('a');
    await upload.append(bytes);
    const own = await members[0]?.startUpload('a');
    const encoded = (value: unknown): string => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
    const malformed = [
      own?.id ?? '',
      `${upload.id}=`,
      `${upload.id} `,
      encoded(null),
      encoded({}),
      encoded([]),
      encoded([2, 'key', ['a', 'b']]),
      encoded([1, 'key']),
      encoded([1, 'key', null]),
      encoded([1, 'key', []]),
      encoded([1, 'key', ['a']]),
      encoded([1, 'key', ['a', 'b', 'c']]),
      encoded([1, 'key', [null, null]]),
      encoded([1, 'key', [1, 2]]),
      encoded([1, 'key', ['a', {}]]),
      encoded([1, 17, ['a', 'b']]),
      encoded([1, 'key', ['a', 'b'], 'more']),
      encoded([1, '__proto__']),
      encoded([1, 'key', ['a'.repeat(4000), 'b'.repeat(4000)]]),
      'x'.repeat(1_000_000),
      toBase64Url(Uint8Array.of(0xff, 0xfe)),
      encoded([1, 'key', ['a', 'b']]).slice(0, -2),
    ];
    for (const id of malformed) {
      await expect(registry.resumeUpload('a', id), id.slice(0, 100)).rejects.toMatchObject({
        code: 'BLOB_UPLOAD_UNKNOWN',
      });
    }
    await upload.commit(digest);
  });

  test('has one spelling only: another Base64 spelling of the same bytes is unknown', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const ids = new UnifiedUploadIds(2);
    let tried = 0;
    for (const key of ['k', 'ke', 'key']) {
      const id = ids.format(key, ['a', 'b']);
      expect(ids.parse(id)).toEqual({ key, ids: ['a', 'b'] });
      // The last character of the others has no bits to spare.
      if (id.length % 4 === 0) continue;
      tried++;
      const next = alphabet.charAt(alphabet.indexOf(id.charAt(id.length - 1)) + 1);
      expect(ids.parse(`${id.slice(0, -1)}${next}`)).toBeUndefined();
    }
    expect(tried).toBe(2);
  });

  test('stands for a remembered upload if the members’ ids are too long together, as long as it is remembered', () => {
    const ids = new UnifiedUploadIds(2, 100);
    const key = ids.newKey();
    const long = ['x'.repeat(200), 'y'.repeat(200)];
    ids.remember(key, long);
    const id = ids.format(key, long);
    expect(id.length).toBeLessThan(100);
    expect(ids.parse(id)).toEqual({ key, ids: long });
    expect(new UnifiedUploadIds(2, 100).parse(id)).toBeUndefined();
    ids.forget(key);
    expect(ids.parse(id)).toBeUndefined();
    for (let i = 0; i < 9000; i++) ids.remember(`${i}`, long);
    expect(ids.parse(ids.format('0', long))).toBeUndefined();
    expect(ids.parse(ids.format('8999', long))).toEqual({ key: '8999', ids: long });
  });

  test('works with the long ids of clients, through our server', async () => {
    const servers = await Promise.all(Array.from({ length: 3 }, () => createTestServer()));
    for (const server of servers) cleanUp.push(() => server.close());
    const members = servers.map(({ host, fetch }) => createClient({ host, fetch, scheme: 'http' }));
    const front = await createTestServer({ registry: unify(members) });
    cleanUp.push(() => front.close());
    const client = createClient({ host: front.host, fetch: front.fetch, scheme: 'http' });
    const upload = await client.startUpload('a');
    await upload.append(bytes.subarray(0, 5000));
    const resumed = await client.resumeUpload('a', upload.id);
    expect(resumed.size).toBe(5000);
    await resumed.commit(digest, { source: bytes.subarray(5000), at: 5000 });
    for (const server of servers) expect(await has(server.registry)).toBe(true);
  });
});

describe('an upload in several members', () => {
  test('has the largest minimum chunk of all members', async () => {
    const wanting = (registry: Registry, minimumChunk: number): Registry =>
      changed(registry, {
        startUpload: async (...args) => Object.assign(await registry.startUpload(...args), { minimumChunk }),
      });
    const [a = createMemoryRegistry(), b = createMemoryRegistry(), c = createMemoryRegistry()] = memories(3);
    expect((await unify([wanting(a, 100), b, wanting(c, 5000)]).startUpload('a')).minimumChunk).toBe(5000);
    expect((await unify([a, b]).startUpload('a')).minimumChunk).toBeUndefined();
  });

  test('begins in no member if one member cannot begin it', async () => {
    const { stores, cancelled } = noting(2);
    await expect(unify([...stores, failing(createMemoryRegistry(), down)]).startUpload('a')).rejects.toBe(down);
    expect(cancelled).toHaveLength(2);
  });

  test('has the size of the member that is furthest behind, and evens out when it continues', async () => {
    for (const behind of [0, 1, 2]) {
      const stores = memories(3);
      const registry = unify(stores.map((store, i) => (i === behind ? stopping(store, 2500) : store)));
      const upload = await registry.startUpload('a');
      const call = upload.append(inPieces(bytes.subarray(0, 6000)));
      await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', failed: [{ member: behind, error: down }] });
      expect(upload.size).toBe(2500);
      const resumed = await registry.resumeUpload('a', upload.id);
      expect(resumed.size).toBe(2500);
      await expect(registry.resumeUpload('a', upload.id, { offset: 6000 })).rejects.toMatchObject({
        code: 'RANGE_INVALID',
        detail: { size: 2500 },
      });
      await expect(resumed.commit(digest)).rejects.toMatchObject({ code: 'RANGE_INVALID', detail: { size: 2500 } });
      // The position of the other members is not the position of the upload.
      const elsewhere = { at: 6000, size: 4000 };
      const misplaced = resumed.append(bytes.subarray(6000), elsewhere);
      await expect(misplaced).rejects.toMatchObject({ code: 'RANGE_INVALID', detail: { size: 2500 } });
      const last = resumed.commit(digest, { source: bytes.subarray(6000), ...elsewhere });
      await expect(last).rejects.toMatchObject({ code: 'RANGE_INVALID', detail: { size: 2500 } });
      // Fewer bytes than the others have already.
      expect(await resumed.append(bytes.subarray(2500, 3000), { at: 2500, size: 500 })).toBe(3000);
      expect(await resumed.append(inPieces(bytes.subarray(3000, 8000)), { at: 3000, size: 5000 })).toBe(8000);
      await resumed.commit(digest, { source: bytes.subarray(8000), at: 8000, size: 2000 });
      for (const store of stores) {
        expect(await (await store.getBlob('a', digest)).bytes()).toEqual(bytes);
      }
    }
  });

  test('evens out with the commit’s own bytes', async () => {
    const stores = memories(2);
    const registry = unify([stores[0] ?? createMemoryRegistry(), stopping(stores[1] ?? createMemoryRegistry(), 1000)]);
    const upload = await registry.startUpload('a');
    await expect(upload.append(inPieces(bytes.subarray(0, 6000)))).rejects.toBeInstanceOf(PartialWriteError);
    await upload.commit(digest, { source: inPieces(bytes.subarray(1000)), at: 1000 });
    for (const store of stores) expect(await has(store)).toBe(true);
  });

  test('continues without a member that has lost it, which gets the blob in the end', async () => {
    for (const lost of [0, 1]) {
      const stores = memories(2);
      const upload = await unify(stores).startUpload('a');
      await upload.append(bytes.subarray(0, 4000));
      // As one does that has been started again.
      const fresh = createMemoryRegistry();
      const members = stores.map((store, i) => (i === lost ? fresh : store));
      const registry = unify(members);
      const resumed = await registry.resumeUpload('a', upload.id);
      expect(resumed.size).toBe(4000);
      await resumed.append(bytes.subarray(4000));
      await (await registry.resumeUpload('a', resumed.id)).commit(digest);
      for (const member of members) expect(await has(member)).toBe(true);
      await expect(registry.resumeUpload('a', resumed.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
    }
  });

  test('continues without a member that tells only in the middle that it has lost it', async () => {
    const stores = memories(2);
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
    const unknown = new RegistryError('BLOB_UPLOAD_UNKNOWN', 'gone');
    const forgetting = changed(b, {
      startUpload: async (...args) =>
        Object.assign(await b.startUpload(...args), { append: () => Promise.reject(unknown) }),
    });
    const upload = await unify([a, forgetting]).startUpload('a');
    expect(await upload.append(inPieces(bytes))).toBe(10_000);
    await upload.commit(digest);
    for (const store of stores) expect(await has(store)).toBe(true);
    await expect((await unify([forgetting, forgetting]).startUpload('a')).append(bytes)).rejects.toBe(unknown);
  });

  test('is unknown if all have lost it', async () => {
    const { id } = await unify(memories(2)).startUpload('a');
    await expect(unify(memories(2)).resumeUpload('a', id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
  });

  test('is not taken for lost if a member fails', async () => {
    const stores = memories(2);
    const upload = await unify(stores).startUpload('a');
    await upload.append(bytes);
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
    await expect(unify([a, failing(b, down)]).resumeUpload('a', upload.id)).rejects.toBe(down);
    await (await unify(stores).resumeUpload('a', upload.id)).commit(digest);
    expect(await has(b)).toBe(true);
  });

  test('that could be committed in one member only fails with that, and is complete when it is committed again', async () => {
    const stores = memories(2);
    let fails = true;
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = stores;
    const failingOnce = changed(b, {
      resumeUpload: async (...args) => {
        const upload = await b.resumeUpload(...args);
        const commit = upload.commit.bind(upload);
        return Object.assign(upload, {
          commit: (...given: Parameters<typeof commit>) => {
            if (!fails) return commit(...given);
            fails = false;
            return Promise.reject(down);
          },
        });
      },
    });
    const registry = unify([a, failingOnce]);
    const { id } = await registry.startUpload('a');
    await (await registry.resumeUpload('a', id)).append(bytes);
    const resumed = await registry.resumeUpload('a', id);
    await expect(resumed.commit(digest)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      done: [0],
      failed: [{ member: 1 }],
    });
    expect([await has(a), await has(b)]).toEqual([true, false]);
    await (await registry.resumeUpload('a', id)).commit(digest);
    expect([await has(a), await has(b), await underWay(b)]).toEqual([true, true, 0]);
  });

  test('is cancelled in all of them', async () => {
    const members = memories(2);
    const upload = await unify(members).startUpload('a');
    await upload.append(bytes);
    expect([await underWay(members[0]), await underWay(members[1])]).toEqual([1, 1]);
    await upload.cancel();
    expect([await underWay(members[0]), await underWay(members[1])]).toEqual([0, 0]);
  });

  test('has the events of one transfer', async () => {
    const events: TransferEvent[] = [];
    const upload = await unify(memories(3)).startUpload('a');
    await upload.append(inPieces(bytes), { onEvent: (event) => events.push(event) });
    expect(events.map((event) => (event.type === 'bytes' ? event.transferred : event.type))).toEqual(
      Array.from({ length: 10 }, (_, i) => (i + 1) * 1000),
    );
  });

  test('continues over HTTP after its server was cut off', async () => {
    const server = await createTestServer();
    cleanUp.push(() => server.close());
    const client = createClient({ host: server.host, fetch: server.fetch, scheme: 'http', backOff: { attempts: 1 } });
    const memory = createMemoryRegistry();
    const registry = unify([memory, client]);
    const large = randomBlob(4_000_000);
    const upload = await registry.startUpload('a');
    const end = server.inject(cutRequests({ methods: ['PATCH'], after: 1_000_000 }));
    await expect(upload.append(inPieces(large.bytes, 50_000))).rejects.toMatchObject({
      done: [0],
      failed: [{ member: 1 }],
    });
    end();
    const resumed = await registry.resumeUpload('a', upload.id);
    expect(resumed.size).toBeLessThanOrEqual(1_000_000);
    await resumed.append(inPieces(large.bytes.subarray(resumed.size), 50_000), { at: resumed.size });
    await resumed.commit(large.descriptor.digest);
    expect([await has(memory, large.descriptor.digest), await has(server.registry, large.descriptor.digest)]).toEqual([
      true,
      true,
    ]);
  });
});

describe('mounting in several members', () => {
  test('sends only to members that lack the blob', async () => {
    const members = memories(3);
    await members[1]?.pushBlob('from', descriptor, bytes);
    const registry = unify(members);
    const events: TransferEvent[] = [];
    const { upload } = await registry.mountBlob('from', 'a', digest, { onEvent: (event) => events.push(event) });
    expect([await has(members[0]), await has(members[1]), await has(members[2])]).toEqual([false, true, false]);
    await upload?.append(bytes);
    expect([await underWay(members[0]), await underWay(members[1]), await underWay(members[2])]).toEqual([1, 0, 1]);
    await upload?.commit(digest);
    for (const member of members) expect(await has(member)).toBe(true);
    expect(events).toEqual([]);
  });

  test('that ends in a commit with another digest copies that blob to all', async () => {
    const members = memories(2);
    await members[0]?.pushBlob('from', descriptor, bytes);
    const { upload } = await unify(members).mountBlob('from', 'a', digest);
    const other = randomBlob(100);
    await upload?.commit(other.descriptor.digest, { source: other.bytes });
    for (const member of members) expect(await has(member, other.descriptor.digest)).toBe(true);
  });

  test('sends to a member that cannot mount', async () => {
    const members = memories(2);
    for (const member of members) await member.pushBlob('from', descriptor, bytes);
    const [a = createMemoryRegistry(), b = createMemoryRegistry()] = members;
    const unable = changed(b, { mountBlob: () => Promise.reject(new RegistryError('UNSUPPORTED', 'no')) });
    const { upload } = await unify([a, unable]).mountBlob('from', 'a', digest);
    await upload?.commit(digest, { source: bytes });
    for (const member of members) expect(await has(member)).toBe(true);
  });

  test('names the members that have the blob if one member fails, and cancels the uploads of the others', async () => {
    const members = memories(2);
    await members[0]?.pushBlob('from', descriptor, bytes);
    const call = unify([...members, failing(createMemoryRegistry(), down)]).mountBlob('from', 'a', digest);
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', done: [0], failed: [{ member: 2, error: down }] });
    const { stores, cancelled } = noting(2);
    const nowhere = unify([...stores, failing(createMemoryRegistry(), down)]);
    await expect(nowhere.mountBlob('from', 'a', digest)).rejects.toBe(down);
    expect(cancelled).toHaveLength(2);
  });
});

describe('the uploads that Maintenance lists', () => {
  test('are one for all members, in the order of their ids, and can be resumed', async () => {
    const members = memories(2);
    const registry = unify(members);
    const uploads = await Promise.all(Array.from({ length: 5 }, () => registry.startUpload('a')));
    for (const [i, upload] of uploads.entries()) await upload.append(bytes.subarray(0, i + 1));
    const maintenance = maintenanceOf(registry);
    const list = (options = {}): Promise<string[]> =>
      collect(maintenance?.uploads('a', options) ?? empty()).then((all) => all.map(({ id }) => id));
    const ids = uploads.map(({ id }) => id).toSorted();
    expect(await list()).toEqual(ids);
    expect(await list({ startAfter: ids[1], limit: 2 })).toEqual(ids.slice(2, 4));
  });

  test('are one for each member if another process has begun them, and can be cancelled', async () => {
    const members = memories(2);
    const upload = await unify(members).startUpload('a');
    await upload.append(bytes);
    const registry = unify(members);
    const maintenance = maintenanceOf(registry);
    const found = await collect(maintenance?.uploads('a') ?? empty());
    expect(found.map(({ size }) => size)).toEqual([10_000, 10_000]);
    expect(await collect(maintenance?.uploads('a') ?? empty())).toEqual(found);
    for (const { id } of found) await (await registry.resumeUpload('a', id)).cancel();
    expect(await collect(maintenance?.uploads('a') ?? empty())).toEqual([]);
    expect([await underWay(members[0]), await underWay(members[1])]).toEqual([0, 0]);
  });
});

async function* empty(): AsyncGenerator<never, void, undefined> {
  // There is nothing in it.
}

import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { createContent, createPartsContent, digestOf, RedirectError, RegistryError } from '../../model/index.ts';
import type {
  BlobContent,
  ByteRange,
  CallOptions,
  ErrorCode,
  Registry,
  ResolvedRange,
  TransferEvent,
} from '../../model/index.ts';
import { openLayout } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, pushContent, randomBlob } from '../../testing/index.ts';
import { corruptAnswers, createTestServer, cutAnswers, refuseRequests } from '../../testing/node.ts';
import type { TestServer } from '../../testing/node.ts';

import { changed, cutting, failing, watched } from '../../../test/members.ts';

import { unify } from './index.ts';
import type { ReadOrder } from './index.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

const orders: readonly ReadOrder[] = ['sequential', 'concurrent'];
const blob = randomBlob(300_000);
const { digest } = blob.descriptor;
const image = imageOf({ layers: [blob] });
const down = new RegistryError('UNAVAILABLE', 'down');

async function holding(): Promise<Registry> {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'a', image, { tags: ['v1'] });
  return registry;
}

/** Answers only when the test says so, or its signal is aborted. */
function waiting(registry: Registry): { registry: Registry; answer: () => void; signals: (AbortSignal | undefined)[] } {
  let answer = (): void => undefined;
  const told = new Promise<void>((resolve) => (answer = resolve));
  const signals: (AbortSignal | undefined)[] = [];
  const changedRegistry = changed(registry, {
    async getBlob(repository, asked, options) {
      signals.push(options?.signal);
      await told;
      return registry.getBlob(repository, asked, { range: options?.range });
    },
  });
  return { registry: changedRegistry, answer, signals };
}

const moment = (milliseconds = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.each(orders)('reading by digest, %s', (read) => {
  const reads: readonly [name: string, call: (registry: Registry, options?: CallOptions) => Promise<unknown>][] = [
    ['getBlob', async (registry, options) => digestOf(await (await registry.getBlob('a', digest, options)).bytes())],
    ['resolveBlob', (registry, options) => registry.resolveBlob('a', digest, options)],
    ['getManifest', (registry, options) => registry.getManifest('a', image.descriptor.digest, options)],
    ['resolveManifest', (registry, options) => registry.resolveManifest('a', image.descriptor.digest, options)],
    ['getTag', (registry, options) => registry.getTag('a', 'v1', options)],
    ['resolveTag', (registry, options) => registry.resolveTag('a', 'v1', options)],
  ];

  for (const [name, call] of reads) {
    test(`${name} finds content that only the last member has, whatever the errors of the others`, async () => {
      const registry = await holding();
      const expected = await call(registry);
      for (const error of [down, new RegistryError('DENIED', 'no'), new Error('broken')]) {
        const members = [createMemoryRegistry(), failing(registry, error), registry];
        expect(await call(unify(members, { read }))).toEqual(expected);
      }
    });

    test(`${name} ends with the caller’s signal, and asks no other member`, async () => {
      const reason = new Error('no longer wanted');
      const controller = new AbortController();
      let asked = 0;
      const silent = failing(createMemoryRegistry(), down);
      const never = (...args: unknown[]): Promise<never> => {
        const options = args.at(-1) as CallOptions;
        asked++;
        setTimeout(() => controller.abort(reason), 5);
        return new Promise((_resolve, reject) => {
          options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
        });
      };
      const methods = { getBlob: never, getManifest: never, getTag: never };
      const hanging = { ...silent, ...methods, resolveBlob: never, resolveManifest: never, resolveTag: never };
      const options = { signal: controller.signal };
      await expect(call(unify([hanging, hanging], { read, tagConflict: 'first' }), options)).rejects.toBe(reason);
      expect(asked).toBe(read === 'concurrent' && !name.endsWith('Tag') ? 2 : 1);
    });
  }

  test.each<[codes: readonly ErrorCode[], expected: number]>([
    [['BLOB_UNKNOWN', 'UNAVAILABLE'], 1],
    [['UNAUTHORIZED', 'BLOB_UNKNOWN'], 0],
    [['NAME_UNKNOWN', 'DENIED'], 1],
    [['BLOB_UNKNOWN', 'TOOMANYREQUESTS', 'UNAVAILABLE'], 1],
    [['NAME_UNKNOWN', 'BLOB_UNKNOWN'], 1],
    [['UNSUPPORTED', 'UNAVAILABLE'], 1],
    [['BLOB_UNKNOWN', 'UNSUPPORTED'], 1],
    [['NAME_UNKNOWN', 'NAME_UNKNOWN'], 0],
  ])('of %j tells the error that says most', async (codes, expected) => {
    const errors = codes.map((code) => new RegistryError(code, 'as the test wants it', { challenge: 'Basic' }));
    const members = errors.map((error) => failing(createMemoryRegistry(), error));
    await expect(unify(members, { read }).getBlob('a', digest)).rejects.toBe(errors[expected]);
  });

  test('sends the caller elsewhere only if no member has the content itself', async () => {
    const elsewhere = new RedirectError('https://cdn.example.com/blob');
    const redirecting = failing(createMemoryRegistry(), elsewhere);
    await expect(unify([createMemoryRegistry(), redirecting], { read }).getBlob('a', digest)).rejects.toBe(elsewhere);
    const away = unify([failing(createMemoryRegistry(), down), redirecting], { read });
    await expect(away.getBlob('a', digest)).rejects.toBe(elsewhere);
    if (read === 'sequential') {
      const content = await unify([redirecting, await holding()], { read }).getBlob('a', digest);
      expect((await content.bytes()).length).toBe(300_000);
    }
  });

  test('ends with the error that the listener throws, asks no other member and releases the content', async () => {
    const reason = new Error('enough');
    const told = watched(await holding());
    const telling = changed(told.registry, {
      getBlob: async (repository, asked, options) => {
        const content = await told.registry.getBlob(repository, asked, options);
        try {
          options?.onEvent?.({ type: 'started', repository, digest: asked });
        } catch (error) {
          await content.cancel();
          throw error;
        }
        return content;
      },
    });
    const onEvent = (): void => {
      throw reason;
    };
    await expect(unify([telling, telling], { read }).getBlob('a', digest, { onEvent })).rejects.toBe(reason);
    await moment();
    expect(told.open.size).toBe(0);
  });

  test('releases a member’s content when its own is cancelled, unread or half read', async () => {
    const told = watched(await holding());
    const registry = unify([told.registry, createMemoryRegistry()], { read });
    await (await registry.getBlob('a', digest)).cancel();
    const half = await registry.getBlob('a', digest);
    await half.readInto(new Uint8Array(1000));
    expect(told.open.size).toBe(1);
    await half.cancel();
    for await (const _piece of await registry.getBlob('a', digest)) break;
    expect([told.count, told.open.size]).toEqual([3, 0]);
  });

  test('leaves no listener on the caller’s signal', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    const seen = new Set<unknown>();
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      if (!seen.has(args[1])) listeners++;
      seen.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      if (seen.delete(args[1])) listeners--;
      remove(...args);
    };
    const registry = unify([failing(createMemoryRegistry(), down), await holding(), await holding()], { read });
    for (const [, call] of reads) await call(registry, { signal });
    await (await registry.getBlob('a', digest, { signal })).cancel();
    await expect(registry.getBlob('b', digest, { signal })).rejects.toThrow('down');
    await expect(registry.getTag('b', 'v1', { signal })).rejects.toThrow('down');
    expect(listeners).toBe(0);
  });
});

describe('a content that fails in the middle', () => {
  const cut = new Error('cut');
  const ways: readonly [way: string, read: (content: BlobContent) => Promise<Uint8Array>][] = [
    ['iterating', async (content) => joined(content)],
    ['bytes()', (content) => content.bytes()],
    ['stream()', async (content) => new Uint8Array(await new Response(content.stream()).arrayBuffer())],
    [
      'readInto()',
      async (content) => {
        const [all, buffer] = [new Uint8Array(content.range.end - content.range.start), new Uint8Array(7777)];
        for (let at = 0, count = 1; count > 0; at += count) {
          count = await content.readInto(buffer);
          all.set(buffer.subarray(0, count), at);
        }
        return all;
      },
    ],
  ];

  describe.each(orders)('%s', (read) => {
    for (const [way, readAll] of ways) {
      test.each([0, 1, 100_000, 299_999])(`continues from byte %i with another member by ${way}`, async (after) => {
        const registry = await holding();
        const ranges: unknown[] = [];
        const second = changed(registry, {
          getBlob(repository, asked, options) {
            ranges.push(options?.range);
            return registry.getBlob(repository, asked, options);
          },
        });
        // The one that answers at once is cut; the others are slower.
        const slow = changed(second, {
          getBlob: async (...args) => {
            await moment(20);
            return second.getBlob(...args);
          },
        });
        const events: TransferEvent[] = [];
        const members = [cutting(registry, after, cut), read === 'sequential' ? second : slow];
        const content = await unify(members, { read }).getBlob('a', digest, { onEvent: (event) => events.push(event) });
        expect(Buffer.compare(await readAll(content), blob.bytes)).toBe(0);
        expect(ranges.at(-1)).toEqual(after === 0 ? undefined : { start: after, end: 300_000 });
        const resumed = events.filter(({ type }) => type === 'resumed');
        expect(resumed).toEqual(
          after === 0 ? [] : [{ type: 'resumed', repository: 'a', digest, size: 300_000, at: after }],
        );
      });
    }

    test('continues within the part that was asked for', async () => {
      const registry = await holding();
      const members = [cutting(registry, 10, cut), registry];
      const content = await unify(members, { read }).getBlob('a', digest, { range: { start: 1000, end: 5000 } });
      expect(Buffer.compare(await content.bytes(), blob.bytes.subarray(1000, 5000))).toBe(0);
    });
  });

  test('continues with another member in the middle of several parts', async () => {
    const registry = await holding();
    const parts: ByteRange[] = [{ start: 5000, end: 9000 }, { start: 100, end: 4000 }, { last: 10 }];
    const expected = Buffer.concat([
      blob.bytes.subarray(5000, 9000),
      blob.bytes.subarray(100, 4000),
      blob.bytes.subarray(-10),
    ]);
    for (const after of [0, 1, 3999, 4000, 4001, 7900, 7909]) {
      const cuttingParts = changed(registry, {
        async getBlob(repository, asked, options = {}) {
          const descriptor = await registry.resolveBlob(repository, asked);
          const iterate = async function* (part: ResolvedRange): AsyncGenerator<Uint8Array> {
            const before = part.start === 5000 ? 0 : part.start === 100 ? 4000 : 7900;
            const bytes = blob.bytes.subarray(part.start, part.end);
            if (before + bytes.length <= after) yield bytes;
            else {
              if (after > before) yield bytes.subarray(0, after - before);
              throw cut;
            }
          };
          return createPartsContent({ descriptor, ranges: options.ranges ?? [], source: { iterate } });
        },
      });
      const content = await unify([cuttingParts, registry]).getBlob('a', digest, { ranges: parts });
      expect(content.parts).toHaveLength(3);
      expect(Buffer.compare(await content.bytes(), expected)).toBe(0);
      const alone = await unify([cuttingParts, createMemoryRegistry()]).getBlob('a', digest, { ranges: parts });
      await expect(alone.bytes()).rejects.toMatchObject({ message: cut.message });
    }
  });

  test('continues more than once, and fails with the first error when all have failed', async () => {
    const registry = await holding();
    const twice = unify([cutting(registry, 1000, cut), cutting(registry, 1000, new Error('again')), registry]);
    expect(Buffer.compare(await (await twice.getBlob('a', digest)).bytes(), blob.bytes)).toBe(0);
    const thrice = unify([cutting(registry, 1000, cut), cutting(registry, 1000, cut), createMemoryRegistry()]);
    await expect((await thrice.getBlob('a', digest)).bytes()).rejects.toBe(cut);
  });

  test('continues with a member that failed at first, and not with one that does not have the blob', async () => {
    const registry = await holding();
    let isDown = true;
    let asked = 0;
    const recovering = changed(registry, {
      getBlob: (...args) => (isDown ? Promise.reject(down) : registry.getBlob(...args)),
    });
    const empty = createMemoryRegistry();
    const lacking = changed(empty, { getBlob: (...args) => (asked++, empty.getBlob(...args)) });
    const content = await unify([recovering, lacking, cutting(registry, 1000, cut)]).getBlob('a', digest);
    isDown = false;
    expect(Buffer.compare(await content.bytes(), blob.bytes)).toBe(0);
    expect(asked).toBe(1);
  });

  test('does not give the last byte if the bytes of two members are wrong together', async () => {
    const registry = await holding();
    const other = Uint8Array.from(blob.bytes, (byte, i) => (i === 200_000 ? byte ^ 1 : byte));
    const wrong = changed(registry, {
      getBlob: async (_repository, asked, options) =>
        createContent({
          descriptor: { mediaType: 'application/octet-stream', digest: asked, size: other.length },
          range: options?.range,
          source: { pieces: [other] },
        }),
    });
    for (const [, readAll] of ways) {
      const content = await unify([cutting(registry, 100_000, cut), wrong]).getBlob('a', digest);
      await expect(readAll(content)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    }
    const content = await unify([cutting(registry, 100_000, cut), wrong]).getBlob('a', digest);
    let came = 0;
    const reading = (async () => {
      for await (const piece of content) came += piece.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(came).toBeLessThan(300_000);
  });

  test('skips a member whose blob has another size, and releases its content', async () => {
    const registry = await holding();
    const odd = changed(registry, {
      getBlob: async (_repository, asked, options) =>
        createContent({
          descriptor: { mediaType: 'application/octet-stream', digest: asked, size: 200_000 },
          range: options?.range,
          source: { pieces: [blob.bytes.subarray(0, 200_000)] },
        }),
    });
    const told = watched(odd);
    const content = await unify([cutting(registry, 1000, cut), told.registry, registry]).getBlob('a', digest);
    expect(Buffer.compare(await content.bytes(), blob.bytes)).toBe(0);
    expect([told.count, told.open.size]).toEqual([1, 0]);
  });

  test('skips a member whose blob is larger, also for a part', async () => {
    const registry = await holding();
    const large = changed(registry, {
      getBlob: async (_repository, asked, options) =>
        createContent({
          descriptor: { mediaType: 'application/octet-stream', digest: asked, size: 400_000 },
          range: options?.range,
          source: { pieces: [new Uint8Array(400_000)] },
        }),
    });
    const range = { start: 10, end: 5000 };
    const content = await unify([cutting(registry, 1000, cut), large, registry]).getBlob('a', digest, { range });
    expect(Buffer.compare(await content.bytes(), blob.bytes.subarray(10, 5000))).toBe(0);
  });

  test('ends with the caller’s signal, and no other member is asked', async () => {
    const registry = await holding();
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const hanging = changed(registry, {
      getBlob: async (_repository, asked, options) =>
        createContent({
          descriptor: { mediaType: 'application/octet-stream', digest: asked, size: 300_000 },
          source: {
            open: async () => ({
              readInto: () =>
                new Promise((_resolve, reject) => {
                  options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
                }),
              close: async () => undefined,
            }),
          },
        }),
    });
    let asked = 0;
    const other = changed(registry, { getBlob: (...args) => (asked++, registry.getBlob(...args)) });
    const content = await unify([hanging, other]).getBlob('a', digest, { signal: controller.signal });
    const reading = content.readInto(new Uint8Array(10));
    await moment();
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(asked).toBe(0);
  });

  test('is released if it is opened on demand and never read', async () => {
    const registry = await holding();
    let cancelled = 0;
    const lazy = changed(registry, {
      getBlob: async (_repository, asked) =>
        createContent({
          descriptor: { mediaType: 'application/octet-stream', digest: asked, size: 300_000 },
          source: { open: () => Promise.reject(cut), cancel: async () => void cancelled++ },
        }),
    });
    await (await unify([lazy, registry]).getBlob('a', digest)).cancel();
    expect(cancelled).toBe(1);
  });

  test('continues with another member where a file on disk has become too short', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-unify-'));
    const layout = openLayout(dir, { durability: 'none' });
    cleanUp.push(async () => {
      await layout.close();
      await rm(dir, { recursive: true });
    });
    await pushContent(layout, 'a', image, { tags: ['v1'] });
    const registry = unify([layout, await holding()]);
    const content = await registry.getBlob('a', digest);
    expect(content.form).toBe('buffer');
    const names = await readdir(join(dir, 'blobs', 'sha256'));
    expect(names).toContain(digest.slice(7));
    const buffer = new Uint8Array(50_000);
    expect(await content.readInto(buffer)).toBeGreaterThan(0);
    await truncate(join(dir, 'blobs', 'sha256', digest.slice(7)), 60_000);
    let at = 50_000;
    const all = new Uint8Array(300_000);
    all.set(buffer);
    for (let count = 1; count > 0; at += count) {
      count = await content.readInto(buffer);
      all.set(buffer.subarray(0, count), at);
    }
    expect(Buffer.compare(all, blob.bytes)).toBe(0);
  });

  test('begins with another member if a file is missing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-unify-'));
    const layout = openLayout(dir, { durability: 'none' });
    cleanUp.push(async () => {
      await layout.close();
      await rm(dir, { recursive: true });
    });
    await pushContent(layout, 'a', image);
    const content = await unify([layout, await holding()]).getBlob('a', digest);
    await rm(join(dir, 'blobs', 'sha256', digest.slice(7)));
    await content.open();
    expect(Buffer.compare(await content.bytes(), blob.bytes)).toBe(0);
  });
});

describe('the losers of a race', () => {
  test('are aborted, and their late answers are released', async () => {
    const told = watched(await holding());
    const slow = waiting(told.registry);
    const { signal } = new AbortController();
    const registry = unify([slow.registry, await holding(), slow.registry], { read: 'concurrent' });
    const content = await registry.getBlob('a', digest, { signal });
    expect(slow.signals.map((each) => each?.aborted)).toEqual([true, true]);
    expect(signal.aborted).toBe(false);
    slow.answer();
    await moment();
    expect([told.count, told.open.size]).toEqual([2, 0]);
    expect(Buffer.compare(await content.bytes(), blob.bytes)).toBe(0);
  });

  test('send no events to the caller, and the winner sends all of its events', async () => {
    const telling = (name: string, delay: number, registry: Registry): Registry =>
      changed(registry, {
        async getBlob(repository, asked, options) {
          options?.onEvent?.({ type: 'started', repository: name, digest: asked });
          await moment(delay);
          options?.onEvent?.({ type: 'planned', repository: name, digest: asked });
          return registry.getBlob(repository, asked);
        },
      });
    const events: TransferEvent[] = [];
    const [slow, fast] = [telling('slow', 30, await holding()), telling('fast', 1, await holding())];
    const registry = unify([slow, fast], { read: 'concurrent' });
    const content = await registry.getBlob('a', digest, { onEvent: (event) => events.push(event) });
    await moment(50);
    expect(events.map(({ type, repository }) => [type, repository])).toEqual([
      ['started', 'fast'],
      ['planned', 'fast'],
    ]);
    await content.cancel();
  });

  test('are aborted when the caller ends the call before any answer', async () => {
    const told = watched(await holding());
    const slow = waiting(told.registry);
    const controller = new AbortController();
    const reading = unify([slow.registry, slow.registry], { read: 'concurrent' }).getBlob('a', digest, {
      signal: controller.signal,
    });
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(slow.signals.map((each) => each?.aborted)).toEqual([true, true]);
    slow.answer();
    await moment();
    expect([told.count, told.open.size]).toEqual([2, 0]);
  });

  test('do not keep the winner from ending with the caller’s signal', async () => {
    const told = watched(await holding());
    const controller = new AbortController();
    const registry = unify([createMemoryRegistry(), told.registry], { read: 'concurrent' });
    const content = await registry.getBlob('a', digest, { signal: controller.signal });
    await content.readInto(new Uint8Array(10));
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await expect(content.readInto(new Uint8Array(10))).rejects.toBe(reason);
    expect(told.open.size).toBe(0);
  });
});

describe('members over HTTP', () => {
  async function start(): Promise<TestServer> {
    const server = await createTestServer();
    cleanUp.push(() => server.close());
    await server.addRef('a', 'v1', image);
    return server;
  }
  const clientOf = (server: TestServer, attempts = 1): Registry =>
    createClient({
      host: server.host,
      scheme: 'http',
      fetch: server.fetch,
      backOff: { attempts, first: 1, longest: 5 },
      concurrency: { download: 1 },
    });
  const isBlob = ({ method, path }: { method: string; path: string }): boolean =>
    method === 'GET' && path.endsWith(digest);

  test.each(orders)('whose server cuts a blob off in the middle are replaced at that byte, read %s', async (read) => {
    const [first, second] = [await start(), await start()];
    first.inject(cutAnswers({ resources: ['blob'], methods: ['GET'], after: 120_000 }));
    if (read === 'concurrent') {
      second.inject(async (exchange, next) => {
        await moment(50);
        return next(exchange);
      });
    }
    const registry = unify([clientOf(first), clientOf(second)], { read });
    expect(Buffer.compare(await (await registry.getBlob('a', digest)).bytes(), blob.bytes)).toBe(0);
    expect(second.requests.findLast(isBlob)?.header('range')).toBe('bytes=120000-299999');
  });

  test('are verified together: the bytes of the second one are not trusted', async () => {
    const [first, second] = [await start(), await start()];
    first.inject(cutAnswers({ resources: ['blob'], methods: ['GET'], after: 120_000 }));
    second.inject(corruptAnswers({ resources: ['blob'], methods: ['GET'] }));
    const content = await unify([clientOf(first), clientOf(second)]).getBlob('a', digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test('that are down are skipped, for contents, manifests and tags', async () => {
    const [first, second] = [await start(), await start()];
    const registry = unify([clientOf(first), clientOf(second)]);
    await first.close();
    expect((await registry.getTag('a', 'v1')).descriptor.digest).toBe(image.descriptor.digest);
    expect(Buffer.compare(await (await registry.getBlob('a', digest)).bytes(), blob.bytes)).toBe(0);
    await expect(registry.resolveBlob('b', digest)).rejects.not.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('that have lost a race hold no connection: with one connection for each, a hundred races can be run', async () => {
    const servers = [await start(), await start(), await start()];
    const registry = unify(
      servers.map((server) => clientOf(server)),
      { read: 'concurrent' },
    );
    for (let i = 0; i < 100; i++) {
      const content = await registry.getBlob('a', digest);
      if (i % 3 === 0) await content.cancel();
      else expect((await content.bytes()).length).toBe(300_000);
    }
  });

  test('that ask for a login, or limit requests, are not mistaken for members that lack the content', async () => {
    const [first, second] = [await start(), await createTestServer()];
    cleanUp.push(() => second.close());
    first.inject(refuseRequests({ as: 'TOOMANYREQUESTS', retryAfter: '7' }));
    const call = unify([clientOf(first), clientOf(second)]).resolveBlob('a', digest);
    await expect(call).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 7 });
  });
});

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return Buffer.concat(all);
}

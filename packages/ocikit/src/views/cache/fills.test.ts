import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import { eventually } from '../../../test/eventually.ts';
import { createContent, digestOf, isRegistryError, partialRegistry, RegistryError } from '../../model/index.ts';
import type { BlobContent, ByteRange, Digest, Registry, ResolvedRange } from '../../model/index.ts';
import { diskBlobs } from '../../stores/blobs/node.ts';
import { openLayout } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { randomBlob } from '../../testing/index.ts';

import { cache } from './cache.ts';
import type { CacheEvent, CacheOptions } from './shared/index.ts';

const disposals: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).toReversed()) await dispose();
});

/** An upstream with one blob. The test decides how many of its bytes are sent. */
class Tap {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** The parts that were asked for. */
  readonly asked: (ByteRange | undefined)[] = [];
  cancelled = 0;
  #open = 0;
  #failure: Error | undefined;
  readonly #changed: (() => void)[] = [];
  /** Changes what is sent. */
  change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;

  constructor(size: number) {
    const { descriptor, bytes } = randomBlob(size);
    this.bytes = bytes;
    this.digest = descriptor.digest;
  }

  /** Lets bytes out up to there. */
  to(position: number): void {
    this.#open = position;
    for (const wake of this.#changed.splice(0)) wake();
  }

  /** Ends what is coming. */
  cut(failure: Error): void {
    this.#failure = failure;
    for (const wake of this.#changed.splice(0)) wake();
    this.#failure = undefined;
  }

  get registry(): Registry {
    const descriptor = { mediaType: 'application/octet-stream', digest: this.digest, size: this.bytes.length };
    const cancel = async (): Promise<void> => void this.cancelled++;
    return partialRegistry({
      resolveBlob: async () => descriptor,
      getBlob: async (_repository, digest, { range, signal } = {}) => {
        if (digest !== this.digest) throw new RegistryError('BLOB_UNKNOWN', 'no such blob');
        this.asked.push(range);
        const iterate = (part: ResolvedRange): AsyncIterable<Uint8Array> => this.#pieces(part);
        return createContent({ descriptor, range, signal, source: { iterate, cancel } });
      },
    });
  }

  async *#pieces({ start, end }: ResolvedRange): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = start; at < end;) {
      while (this.#open <= at) {
        await new Promise<void>((resolve, reject) => {
          this.#changed.push(() => (this.#failure === undefined ? resolve() : reject(this.#failure)));
        });
      }
      const next = Math.min(at + 50_000, this.#open, end);
      yield this.change(this.bytes.slice(at, next));
      at = next;
    }
  }
}

const size = 1_000_000;
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function stores(): Promise<[name: string, store: Registry][]> {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-fills-'));
  disposals.push(() => rm(dir, { recursive: true }));
  const layout = openLayout(join(dir, 'layout'), { sparse: true, durability: 'none' });
  disposals.push(() => layout.close());
  return [
    ['memory', createMemoryRegistry({ sparse: true })],
    ['files', createMemoryRegistry({ sparse: true, blobs: diskBlobs(join(dir, 'blobs')) })],
    ['layout', layout],
  ];
}

function cacheOf(tap: Tap, store: Registry, options: CacheOptions = {}): { registry: Registry; events: CacheEvent[] } {
  const events: CacheEvent[] = [];
  const registry = cache(tap.registry, store, { onEvent: (event) => events.push(event), ...options });
  disposals.push(() => registry.close());
  return { registry, events };
}

/** Reads this many bytes of it, or all if there are fewer. */
async function readSome(content: BlobContent, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let at = 0;
  while (at < count) {
    const read = await content.readInto(bytes.subarray(at));
    if (read === 0) break;
    at += read;
  }
  return bytes.subarray(0, at);
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'none',
    (error: unknown) => (isRegistryError(error) ? error.code : String(error)),
  );
}

const nothing = async (store: Registry, digest: Digest): Promise<void> => {
  expect(await codeOf(store.resolveBlob('app', digest))).toMatch(/UNKNOWN$/);
};

describe('a blob that is being downloaded', () => {
  test.each([0, 1, 2])(
    'is read by all callers from the same download, each at its own pace, in store %i',
    async (which) => {
      const [, store] = (await stores())[which] ?? [];
      if (store === undefined) throw new Error('there are three stores');
      const tap = new Tap(size);
      const { registry } = cacheOf(tap, store);
      tap.to(300_000);
      const [fast, slow] = await Promise.all([
        registry.getBlob('app', tap.digest),
        registry.getBlob('app', tap.digest),
      ]);
      const first = await readSome(fast, 300_000);
      expect(digestOf(first)).toBe(digestOf(tap.bytes.subarray(0, 300_000)));
      expect((await readSome(slow, 10)).length).toBe(10);
      // A later reader begins at the first byte.
      const late = await registry.getBlob('app', tap.digest);
      tap.to(size);
      const rest = await readSome(fast, size);
      expect(first.length + rest.length).toBe(size);
      expect(digestOf(await late.bytes())).toBe(tap.digest);
      const slowRest = await readSome(slow, size);
      expect(digestOf(Buffer.concat([tap.bytes.subarray(0, 10), slowRest]))).toBe(tap.digest);
      expect(tap.asked).toHaveLength(1);
      expect(digestOf(await (await store.getBlob('app', tap.digest)).bytes())).toBe(tap.digest);
    },
  );

  test('is given to no reader as a whole before it has been verified', async () => {
    const [, [, store]] = (await stores()) as [never, [string, Registry]];
    const tap = new Tap(size);
    tap.change = (bytes) => bytes.with(0, (bytes[0] ?? 0) ^ 1);
    const { registry, events } = cacheOf(tap, store);
    // Not all of it: the download must not have failed before there are readers.
    tap.to(size - 1);
    const contents = await Promise.all([registry.getBlob('app', tap.digest), registry.getBlob('app', tap.digest)]);
    tap.to(size);
    for (const content of contents) {
      let read = 0;
      const reading = (async () => {
        for await (const piece of content) read += piece.length;
      })();
      await expect(reading).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(read).toBeLessThan(size);
    }
    await nothing(store, tap.digest);
    expect(events.filter(({ type }) => type === 'kept')).toEqual([]);
    // The next one asks again.
    tap.change = (bytes) => bytes;
    expect(digestOf(await (await registry.getBlob('app', tap.digest)).bytes())).toBe(tap.digest);
  });

  test('is refused without a byte if it is small and wrong, and the upstream is asked less and less often', async () => {
    const store = createMemoryRegistry();
    const tap = new Tap(1000);
    tap.change = (bytes) => bytes.with(0, (bytes[0] ?? 0) ^ 1);
    tap.to(1000);
    const { registry } = cacheOf(tap, store);
    for (let i = 0; i < 10; i++) expect(await codeOf(registry.getBlob('app', tap.digest))).toBe('UNAVAILABLE');
    expect(tap.asked).toHaveLength(2);
    await nothing(store, tap.digest);
  });

  test('that is cut off ends in the middle for its readers, and resumes at that byte for the next one', async () => {
    for (const [name, store] of await stores()) {
      const tap = new Tap(size);
      const { registry } = cacheOf(tap, store);
      tap.to(400_000);
      const content = await registry.getBlob('app', tap.digest);
      expect((await readSome(content, 400_000)).length, name).toBe(400_000);
      tap.cut(new RegistryError('UNAVAILABLE', 'the connection was cut'));
      await expect(content.readInto(new Uint8Array(10))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await nothing(store, tap.digest);
      tap.to(size);
      expect(digestOf(await (await registry.getBlob('app', tap.digest)).bytes())).toBe(tap.digest);
      expect(tap.asked).toEqual([undefined, { start: 400_000 }]);
    }
  });

  test('continues when a reader leaves while others follow, and is paused when no reader is left', async () => {
    const tap = new Tap(100_000_000);
    const { registry } = cacheOf(tap, createMemoryRegistry());
    tap.to(200_000);
    const [a, b] = await Promise.all([registry.getBlob('app', tap.digest), registry.getBlob('app', tap.digest)]);
    await readSome(a, 100);
    await readSome(b, 100);
    await a.cancel();
    await pause(3500);
    tap.to(300_000);
    expect((await readSome(b, 250_000)).length).toBe(250_000);
    expect(tap.cancelled).toBe(0);
    await b.cancel();
    await eventually(() => expect(tap.cancelled).toBe(1));
    tap.to(tap.bytes.length);
    const content = await registry.getBlob('app', tap.digest);
    expect((await readSome(content, 500_000)).length).toBe(500_000);
    expect(tap.asked).toEqual([undefined, { start: 300_000 }]);
    await content.cancel();
  });

  test('gives near parts when the download has reached them, and far parts from the upstream', async () => {
    const tap = new Tap(40_000_000);
    const { registry, events } = cacheOf(tap, createMemoryRegistry());
    tap.to(100_000);
    const head = await registry.getBlob('app', tap.digest, { range: { start: 0, end: 50_000 } });
    expect(digestOf(await readSome(head, 60_000))).toBe(digestOf(tap.bytes.subarray(0, 50_000)));
    const near = registry.getBlob('app', tap.digest, { range: { start: 150_000, end: 160_000 } });
    tap.to(40_000_000);
    expect(digestOf(await (await near).bytes())).toBe(digestOf(tap.bytes.subarray(150_000, 160_000)));
    expect(tap.asked).toEqual([undefined]);
    const other = new Tap(40_000_000);
    other.to(40_000_000);
    const beside = cacheOf(other, createMemoryRegistry());
    const range = { start: 39_000_000, end: 39_000_100 };
    const far = await beside.registry.getBlob('app', other.digest, { range });
    expect(await far.bytes()).toEqual(other.bytes.subarray(39_000_000, 39_000_100));
    expect(other.asked).toEqual([range]);
    expect(beside.events.map(({ type }) => type)).toEqual(['passed']);
    await eventually(() => expect(events.some(({ type }) => type === 'kept')).toBe(true));
  });

  test('gives several parts of a download in their order, if it has come near all of them', async () => {
    for (const [name, store] of await stores()) {
      const tap = new Tap(40_000_000);
      const { registry, events } = cacheOf(tap, store);
      tap.to(400_000);
      const reader = await registry.getBlob('app', tap.digest);
      await readSome(reader, 10_000);
      const ranges = [
        { start: 350_000, end: 700_000 },
        { start: 5, end: 10 },
        { start: 600_000, end: 600_500 },
      ];
      const content = await registry.getBlob('app', tap.digest, { ranges });
      expect(content.parts, name).toEqual(ranges);
      expect(await readSome(content, 10)).toEqual(tap.bytes.subarray(350_000, 350_010));
      tap.to(40_000_000);
      const rest = await readSome(content, 1_000_000);
      const expected = ranges.map(({ start, end }) => tap.bytes.subarray(start, end));
      expect(digestOf(rest), name).toBe(digestOf(Buffer.concat(expected).subarray(10)));
      expect(tap.asked).toEqual([undefined]);
      await reader.cancel();
      await eventually(() => expect(events.some(({ type }) => type === 'kept')).toBe(true));
      const kept = await registry.getBlob('app', tap.digest, { ranges });
      expect(digestOf(await kept.bytes()), name).toBe(digestOf(Buffer.concat(expected)));
      expect(tap.asked).toEqual([undefined]);
    }
  });

  test('is not begun for several parts, which the upstream is asked for as they are', async () => {
    const upstream = createMemoryRegistry();
    const { descriptor, bytes } = randomBlob(size);
    await upstream.pushBlob('app', descriptor, bytes);
    const asked: unknown[] = [];
    const counting: Registry = {
      ...upstream,
      getBlob: (repository, digest, options) => {
        asked.push(options?.ranges);
        return upstream.getBlob(repository, digest, options);
      },
    };
    const store = createMemoryRegistry();
    const registry = cache(counting, store);
    disposals.push(() => registry.close());
    const ranges = [{ start: 0, end: 10 }, { last: 20 }];
    const content = await registry.getBlob('app', descriptor.digest, { ranges });
    expect(digestOf(await content.bytes())).toBe(digestOf(Buffer.concat([bytes.subarray(0, 10), bytes.subarray(-20)])));
    expect(asked).toEqual([ranges]);
    await nothing(store, descriptor.digest);
  });

  test('ends for a reader whose signal is aborted, and not for the others', async () => {
    const tap = new Tap(size);
    const { registry } = cacheOf(tap, createMemoryRegistry());
    tap.to(200_000);
    const abort = new AbortController();
    const [leaving, staying] = await Promise.all([
      registry.getBlob('app', tap.digest, { signal: abort.signal }),
      registry.getBlob('app', tap.digest),
    ]);
    await readSome(leaving, 200_000);
    const waiting = leaving.readInto(new Uint8Array(10));
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    tap.to(size);
    expect(digestOf(await staying.bytes())).toBe(tap.digest);
  });

  test('leaves nothing behind when the cache is closed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-fills-'));
    disposals.push(() => rm(dir, { recursive: true }));
    const store = openLayout(dir, { sparse: true, durability: 'none' });
    const tap = new Tap(size);
    const registry = cache(tap.registry, store);
    tap.to(300_000);
    const content = await registry.getBlob('app', tap.digest);
    await readSome(content, 100);
    await registry.close();
    await expect(readSome(content, size)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await readdir(join(dir, '.ocikit', 'uploads'))).toEqual([]);
    await store.close();
  });

  test('comes straight from the upstream if the store fails near its beginning', async () => {
    const store = createMemoryRegistry();
    const start = store.startUpload.bind(store);
    store.startUpload = async (...args) => {
      const upload = await start(...args);
      upload.append = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
      return upload;
    };
    const tap = new Tap(size);
    tap.to(size);
    const { registry, events } = cacheOf(tap, store);
    for (let i = 0; i < 3; i++) {
      expect(digestOf(await (await registry.getBlob('app', tap.digest)).bytes())).toBe(tap.digest);
    }
    expect(events.filter(({ type }) => type === 'unkept')).toHaveLength(1);
  });
});

test('a reader that changes its pieces changes nothing that another reader of the same download gets', async () => {
  const { descriptor, bytes } = randomBlob(3_000_000);
  const upstream = createMemoryRegistry();
  await upstream.pushBlob('app', descriptor, bytes);
  const directory = await mkdtemp(join(tmpdir(), 'ocikit-'));
  disposals.push(() => rm(directory, { recursive: true }));
  const registry = cache(upstream, openLayout(directory, { sparse: true }));
  disposals.push(() => registry.close());
  const [first, second] = [
    await registry.getBlob('app', descriptor.digest),
    await registry.getBlob('app', descriptor.digest),
  ];
  for await (const piece of first) piece.fill(1);
  expect(digestOf(await second.bytes())).toBe(descriptor.digest);
});

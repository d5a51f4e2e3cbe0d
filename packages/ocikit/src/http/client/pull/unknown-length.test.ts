import { describe, expect, test } from 'vitest';

import { ignoringRanges } from '../../../../test/quirks.ts';
import { startServer } from '../../../../test/start-server.ts';
import { failureOf } from '../../../../test/transport-to.ts';
import { listen } from '../../../../test/listen.ts';
import { pull, push } from '../../../image/index.ts';
import type { Registry } from '../../../model/index.ts';
import { nodeFetch } from '../../../node/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { pushImage, randomBlob } from '../../../testing/index.ts';
import { cache } from '../../../views/index.ts';
import type { Middleware } from '../../server/index.ts';
import type { Fetch } from '../../wire/index.ts';

import { createClient } from '../index.ts';

interface Setting {
  store: Registry;
  client: Registry;
  host: string;
  seen: string[];
}

/** Answers have no length, as behind a proxy that scans. */
const withoutLength: Fetch = async (url, init) => {
  const response = await fetch(url, init);
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  return new Response(response.body, { status: response.status, headers });
};

/** A registry whose answers have no length. */
async function setUp(...middleware: Middleware[]): Promise<Setting> {
  const store = createMemoryRegistry({ sparse: true });
  const seen: string[] = [];
  const record: Middleware = (exchange, next) => {
    const range = exchange.header('range');
    seen.push([exchange.method, ...(range === undefined ? [] : [range])].join(' '));
    return next(exchange);
  };
  const { url } = await startServer(store, { middleware: [record, ...middleware] });
  const { host } = new URL(url);
  return { store, client: createClient({ host, fetch: withoutLength, backOff: { first: 1 } }), host, seen };
}

describe.each([1, 1000, 300_000])('a blob of %i bytes, in an answer without a length,', (size) => {
  const { descriptor, bytes } = randomBlob(size);
  const { digest } = descriptor;

  test('is read with its known size, by one request', async () => {
    const { store, client, seen } = await setUp();
    await store.pushBlob('a', descriptor, bytes);
    const content = await client.getBlob('a', digest, { size });
    expect(content.descriptor.size).toBe(size);
    expect(Buffer.compare(await content.bytes(), bytes)).toBe(0);
    expect(seen).toEqual(['GET']);
  });

  test('is counted if its size is not known, by one request', async () => {
    const { store, client, seen } = await setUp();
    await store.pushBlob('a', descriptor, bytes);
    const content = await client.getBlob('a', digest);
    expect(content.range.end).toBe(Number.POSITIVE_INFINITY);
    expect(Buffer.compare(await content.bytes(), bytes)).toBe(0);
    const buffer = new Uint8Array(1000);
    let count = 0;
    const again = await client.getBlob('a', digest);
    for (let read = await again.readInto(buffer); read > 0; read = await again.readInto(buffer)) count += read;
    expect(count).toBe(size);
    expect(seen).toEqual(['GET', 'GET']);
  });

  test('is described by its known size, by one request', async () => {
    const { store, client, seen } = await setUp();
    await store.pushBlob('a', descriptor, bytes);
    expect((await client.resolveBlob('a', digest, { size })).size).toBe(size);
    expect(seen).toEqual(['HEAD']);
  });

  test('is described by counting it where ranges are ignored', async () => {
    const { store, client, seen } = await setUp(ignoringRanges);
    await store.pushBlob('a', descriptor, bytes);
    expect((await client.resolveBlob('a', digest)).size).toBe(size);
    expect(seen).toEqual(['HEAD', 'GET bytes=0-0']);
  });

  test('is refused with wrong bytes, with its known size and without', async () => {
    const host = await listen((_, response) => {
      response.write(Buffer.from(bytes).fill(0));
      response.end();
    });
    const client = createClient({ host, backOff: false });
    for (const options of [{}, { size }]) {
      const content = await client.getBlob('a', digest, options);
      expect(await failureOf(content.bytes())).toMatchObject({ code: 'DIGEST_INVALID' });
    }
  });

  test('goes through a proxy', async () => {
    const { store, client } = await setUp();
    await store.pushBlob('a', descriptor, bytes);
    const { url } = await startServer(client);
    const proxied = createClient({ host: new URL(url).host });
    expect(Buffer.compare(await (await proxied.getBlob('a', digest)).bytes(), bytes)).toBe(0);
  });

  test('goes through a cache, and is kept there', async () => {
    const { store, client, seen } = await setUp();
    await store.pushBlob('a', descriptor, bytes);
    await using cached = cache(client, createMemoryRegistry({ sparse: true }));
    const [first, second] = await Promise.all([cached.getBlob('a', digest), cached.getBlob('a', digest)]);
    expect(first.descriptor.size).toBe(size);
    expect(Buffer.compare(await first.bytes(), bytes)).toBe(0);
    expect(Buffer.compare(await second.bytes(), bytes)).toBe(0);
    expect((await cached.resolveBlob('a', digest)).size).toBe(size);
    expect(seen).toEqual(['GET']);
  });
});

describe('an image, in answers without a length,', () => {
  test('is pulled and pushed on', async () => {
    const { store, client } = await setUp();
    const image = await pushImage(store, 'a', { tags: ['v1'] });
    const target = createMemoryRegistry();
    await push(target, 'b', await pull(client, 'a', { tag: 'v1' }), { tags: ['v1'] });
    expect((await target.resolveTag('b', 'v1')).digest).toBe(image.descriptor.digest);
  });

  test('is pushed where its blobs are, without sending them again', async () => {
    const { store, client, seen } = await setUp();
    await pushImage(store, 'a', { tags: ['v1'] });
    const image = await pull(store, 'a', { tag: 'v1' });
    await push(client, 'a', image, { tags: ['v2'] });
    expect(seen.filter((one) => one === 'POST')).toEqual([]);
  });
});

test('a blob that is cut in an answer without a length is resumed', async () => {
  const { descriptor, bytes } = randomBlob(200_000);
  const asked: unknown[] = [];
  const host = await listen(({ headers: { range } }, response) => {
    asked.push(range);
    const start = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const end = Math.min(bytes.length, start + 70_000);
    const contentRange = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(range === undefined ? 200 : 206, range === undefined ? {} : { 'content-range': contentRange });
    response.write(Buffer.from(bytes.subarray(start, end)), () => {
      if (end === bytes.length) response.end();
      else response.destroy();
    });
  });
  const client = createClient({ host, fetch: nodeFetch(), backOff: { first: 1 } });
  const content = await client.getBlob('a', descriptor.digest);
  expect(Buffer.compare(await content.bytes(), bytes)).toBe(0);
  expect(asked[0]).toBeUndefined();
  expect(asked.length).toBeGreaterThan(1);
});

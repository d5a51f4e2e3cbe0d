import { afterEach, describe, expect, test } from 'vitest';

import { startServer } from '../../../../test/start-server.ts';
import { collect, mediaTypes } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { imageOf, randomBlob } from '../../../testing/index.ts';
import type { Middleware } from '../../server/index.ts';

import { createClient } from '../client.ts';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/**
 * A store, a registry in front of it, and `hops - 1` proxies one before the other; with what each of them was asked.
 */
async function chain(hops: number): Promise<{ store: Registry; url: string; seen: string[][]; clear: () => void }> {
  const store = createMemoryRegistry();
  const seen: string[][] = [];
  let registry: Registry = store;
  let url = '';
  for (let hop = 0; hop < hops; hop++) {
    const methods: string[] = [];
    const record: Middleware = (exchange, next) => {
      methods.push(exchange.method);
      return next(exchange);
    };
    const server = await startServer(registry, { middleware: [record] });
    ends.push(() => server.close());
    ({ url } = server);
    registry = createClient({ host: new URL(url).host });
    seen.unshift(methods);
  }
  return { store, url, seen, clear: () => seen.forEach((methods) => (methods.length = 0)) };
}

describe('a proxy', () => {
  test('adds no request to a push, however it is made', async () => {
    const { store, url, seen, clear } = await chain(3);
    const same = (...methods: string[]): void => {
      expect(seen).toEqual([methods, methods, methods]);
      clear();
    };
    const send = async (method: string, path: string, body?: Uint8Array, headers?: Record<string, string>) => {
      const response = await fetch(new URL(path, url), {
        method,
        headers: { 'content-type': mediaTypes.octetStream, ...headers },
        ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      });
      expect(response.status).toBeLessThan(300);
      return response.headers.get('location') ?? '';
    };
    const commit = (location: string, digest: string): string =>
      `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;

    for (const size of [1000, 6_000_000]) {
      // One piece: POST, PUT.
      const whole = randomBlob(size);
      const { digest } = whole.descriptor;
      await send('PUT', commit(await send('POST', '/v2/a/b/blobs/uploads/'), digest), whole.bytes);
      same('POST', 'PUT');
      expect((await store.resolveBlob('a/b', digest)).size).toBe(size);
    }

    // One write of a stream, as docker and crane do it.
    const streamed = randomBlob(150 * 1024);
    const begun = await send('POST', '/v2/a/b/blobs/uploads/');
    const sent = await send('PATCH', begun, streamed.bytes);
    await send('PUT', commit(sent, streamed.descriptor.digest));
    same('POST', 'PATCH', 'PUT');
    await store.resolveBlob('a/b', streamed.descriptor.digest);

    // Chunks, of which the last one comes with the PUT; the state is asked for in between.
    const chunked = randomBlob(3000);
    let location = await send('POST', '/v2/a/b/blobs/uploads/');
    location = await send('PATCH', location, chunked.bytes.subarray(0, 1000), { 'content-range': '0-999' });
    location = await send('PATCH', location, chunked.bytes.subarray(1000, 2000), { 'content-range': '1000-1999' });
    location = await send('GET', location);
    const last = chunked.bytes.subarray(2000);
    await send('PUT', commit(location, chunked.descriptor.digest), last, { 'content-range': '2000-2999' });
    same('POST', 'PATCH', 'PATCH', 'GET', 'PUT');
    await store.resolveBlob('a/b', chunked.descriptor.digest);

    // A mount, one that goes on as an upload, and an upload that is given up.
    await send('POST', `/v2/c/blobs/uploads/?mount=${chunked.descriptor.digest}&from=a/b`);
    same('POST');
    const missing = randomBlob(10);
    const instead = await send('POST', `/v2/c/blobs/uploads/?mount=${missing.descriptor.digest}&from=a/b`);
    await send('PUT', commit(instead, missing.descriptor.digest), missing.bytes);
    same('POST', 'PUT');
    await send('DELETE', await send('POST', '/v2/c/blobs/uploads/'));
    same('POST', 'DELETE');

    // A manifest with several tags.
    const image = imageOf();
    for (const { descriptor, bytes } of image.blobs) await store.pushBlob('a/b', descriptor, bytes);
    await send('PUT', '/v2/a/b/manifests/v1?tag=v2&tag=v3', image.bytes, { 'content-type': image.mediaType });
    same('PUT');
    expect(await collect(store.tags('a/b'))).toEqual(['v1', 'v2', 'v3']);
  });

  test('makes one POST and one PUT of a push in a single POST', async () => {
    const { store, url, seen } = await chain(2);
    const { descriptor, bytes } = randomBlob(1000);
    const address = new URL(`/v2/a/b/blobs/uploads/?digest=${descriptor.digest}`, url);
    const response = await fetch(address, { method: 'POST', body: new Uint8Array(bytes) });
    expect(response.status).toBe(201);
    expect(seen).toEqual([['POST'], ['POST', 'PUT']]);
    await store.resolveBlob('a/b', descriptor.digest);
  });

  test('adds no request to a pull', async () => {
    const { store, url, seen, clear } = await chain(3);
    const image = imageOf();
    for (const { descriptor, bytes } of image.blobs) await store.pushBlob('a/b', descriptor, bytes);
    await store.pushManifest('a/b', image.bytes, image.mediaType, { tags: ['v1'] });
    const blob = image.blobs[0]?.descriptor.digest ?? '';
    for (const [method, path, headers] of [
      ['GET', 'manifests/v1', {}],
      ['HEAD', 'manifests/v1', {}],
      ['GET', `manifests/${image.descriptor.digest}`, {}],
      ['GET', `blobs/${blob}`, {}],
      ['GET', `blobs/${blob}`, { range: 'bytes=1-5' }],
      ['HEAD', `blobs/${blob}`, {}],
      ['GET', 'tags/list', {}],
      ['GET', `referrers/${image.descriptor.digest}`, {}],
    ] as const) {
      const response = await fetch(new URL(`/v2/a/b/${path}`, url), { method, headers });
      await response.arrayBuffer();
      expect(response.status).toBeLessThan(300);
      expect(seen, `${method} ${path}`).toEqual([[method], [method], [method]]);
      clear();
    }
  });

  test('knows the size of what was sent in chunks without asking, also of a registry that does not say it', async () => {
    const methods: string[] = [];
    const silent: Middleware = async (exchange, next) => {
      methods.push(exchange.method);
      const reply = await next(exchange);
      const { 'Upload-Offset': _offset, ...headers } = reply.headers;
      return { ...reply, headers };
    };
    const server = await startServer(createMemoryRegistry(), { middleware: [silent] });
    ends.push(() => server.close());
    const registry = createClient({ host: new URL(server.url).host });
    const { descriptor, bytes } = randomBlob(3000);
    const { id } = await registry.startUpload('a/b');
    const first = await registry.resumeUpload('a/b', id, { offset: 'end' });
    await first.append(bytes);
    const second = await registry.resumeUpload('a/b', first.id, { offset: 'end' });
    expect(await second.commit(descriptor.digest)).toMatchObject({ size: 3000 });
    expect(methods).toEqual(['POST', 'PATCH', 'PUT']);
  });
});

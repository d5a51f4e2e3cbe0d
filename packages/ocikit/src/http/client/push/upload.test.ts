import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { afterEach, describe, expect, test } from 'vitest';

import { cuttingProxy } from '../../../../test/cutting-proxy.ts';
import { bodyOf, listen } from '../../../../test/listen.ts';
import { startServer } from '../../../../test/start-server.ts';
import { digestOf } from '../../../model/index.ts';
import type { Digest, Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { randomBlob } from '../../../testing/index.ts';

import { createClient } from '../client.ts';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Setting {
  store: Registry;
  registry: Registry;
  port: number;
  url: string;
  /** The methods of all requests. */
  seen: string[];
  /** The number of requests that have no answer yet. */
  running: () => number;
}

async function setUp(): Promise<Setting> {
  const store = createMemoryRegistry();
  const seen: string[] = [];
  let running = 0;
  const server = await startServer(store, {
    middleware: [
      (exchange, next) => {
        seen.push(exchange.method);
        running++;
        return next(exchange).finally(() => running--);
      },
    ],
  });
  ends.push(() => server.close());
  const registry = createClient({ host: new URL(server.url).host, backOff: { first: 5 } });
  return { store, registry, port: server.port, url: server.url, seen, running: () => running };
}

/** A registry's uploads as others have them: `Range` without `Upload-Offset`, and a Location below another path. */
class OldUploads {
  bytes = Buffer.alloc(0);
  readonly seen: string[] = [];
  location = (request: IncomingMessage): string => request.url?.replace(/\?.*/, '') ?? '';

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    void this.#answer(request, response);
  };

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const range = headers['content-range'];
    this.seen.push(`${method} ${range ?? ''}`.trim());
    if (method === 'POST') {
      response.writeHead(202, { location: '/elsewhere/session?token=a%2fb', range: '0-0' }).end();
      return;
    }
    const body = Buffer.from(await bodyOf(request), 'utf8');
    const start = /^(\d+)-/.exec(range ?? '')?.[1];
    if (start !== undefined && Number(start) !== this.bytes.length) {
      response.writeHead(416, { 'content-length': '0' }).end();
      return;
    }
    this.bytes = Buffer.concat([this.bytes, body]);
    if (method === 'PUT') {
      const wanted = new URL(url, 'http://x/').searchParams.get('digest');
      const found = `sha256:${createHash('sha256').update(this.bytes).digest('hex')}`;
      response.writeHead(found === wanted ? 201 : 400, { 'content-length': '0' }).end();
      return;
    }
    const said = { location: url, range: `0-${Math.max(this.bytes.length - 1, 0)}` };
    response.writeHead(method === 'GET' ? 204 : 202, said).end();
  }
}

describe('an upload', () => {
  test('with one byte is not taken for an empty one, though both say 0-0', async () => {
    const uploads = new OldUploads();
    const host = await listen(uploads.handle);
    const upload = await createClient({ host }).startUpload('a');
    expect(await upload.append(new Uint8Array([65]))).toBe(1);
    expect((await createClient({ host }).startUpload('a')).size).toBe(0);
    await upload.append(new Uint8Array([66]), { at: 1 });
    expect(upload.size).toBe(2);
    expect(uploads.seen).toEqual(['POST', 'PATCH 0-0', 'POST', 'PATCH 1-1']);
  });

  test('with a single forgotten byte is recognized when bytes are refused at its start', async () => {
    const uploads = new OldUploads();
    const host = await listen(uploads.handle);
    const registry = createClient({ host });
    const { id } = await registry.startUpload('a');
    uploads.bytes = Buffer.from('A');
    const resumed = await registry.resumeUpload('a', id);
    expect(resumed.size).toBe(0);
    await resumed.append(new TextEncoder().encode('BC'));
    expect(resumed.size).toBe(3);
    const digest = digestOf(new TextEncoder().encode('ABC'));
    expect(await resumed.commit(digest)).toMatchObject({ digest, size: 3 });
  });

  test('continues at the Location that the registry gives, also from its id, in this client only', async () => {
    const uploads = new OldUploads();
    const host = await listen(uploads.handle);
    const registry = createClient({ host });
    const upload = await registry.startUpload('a');
    expect(upload.id).toBe(`http://${host}/elsewhere/session?token=a%2fb`);
    await upload.append(new TextEncoder().encode('ABC'));
    const resumed = await registry.resumeUpload('a', upload.id);
    expect(resumed.size).toBe(3);
    await expect(registry.resumeUpload('b', upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
    await expect(createClient({ host }).resumeUpload('a', upload.id)).rejects.toMatchObject({
      code: 'BLOB_UPLOAD_UNKNOWN',
    });
  });

  test('is looked for only below the repository’s uploads', async () => {
    const { registry, url, seen } = await setUp();
    const uploads = `${url}/v2/a/b/blobs/uploads`;
    const ids = [
      'unknown',
      'https://example.com/v2/a/b/blobs/uploads/x',
      `${url.replace('http:', 'https:')}/v2/a/b/blobs/uploads/x`,
      url.replace('//', '//user:secret@') + '/v2/a/b/blobs/uploads/x',
      `${url}/v2/a/blobs/uploads/x`,
      `${url}/v2/a/b/manifests/latest`,
      `${uploads}/`,
      `${uploads}/..`,
      `${uploads}/x/../../../../../_catalog`,
      `${uploads}/%2e%2e`,
      `${uploads}/..%2f..%2fmanifests%2flatest`,
      `${uploads}/x/manifests/latest`,
      `${uploads}/x/blobs/uploads/y`,
      `${uploads}/x\\y`,
      `${uploads}/x#y`,
      `${uploads}/x?digest=${digestOf(new Uint8Array())}`,
      `${uploads}/x?mount=y`,
    ];
    for (const id of ids) {
      for (const offset of [undefined, 0, 'end'] as const) {
        const resumed = registry.resumeUpload('a/b', id, { offset });
        await expect(resumed, id).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
      }
    }
    expect(seen).toEqual([]);
  });

  test('is resumed by a client that knows only its id', async () => {
    const { store, registry, url } = await setUp();
    const { descriptor, bytes } = randomBlob(10_000);
    const upload = await registry.startUpload('a/b');
    await upload.append(bytes.subarray(0, 4000));
    const other = createClient({ host: new URL(url).host });
    const resumed = await other.resumeUpload('a/b', upload.id);
    expect(resumed.size).toBe(4000);
    await resumed.commit(descriptor.digest, { source: bytes.subarray(4000) });
    expect((await store.resolveBlob('a/b', descriptor.digest)).size).toBe(10_000);
  });

  test('is resumed after a cut, in the middle of a chunk and of the last one', async () => {
    const { store, port } = await setUp();
    const { descriptor, bytes } = randomBlob(24 * 1024 * 1024);
    const half = bytes.length / 2;
    const proxy = await cuttingProxy(port, [5_000_000, 17_000_000]);
    ends.push(() => proxy.close());
    const registry = createClient({ host: proxy.host, backOff: { first: 5 } });
    const upload = await registry.startUpload('a/b');
    expect(await upload.append(bytes.subarray(0, half))).toBe(half);
    const committed = await upload.commit(descriptor.digest, { source: bytes.subarray(half), at: half, size: half });
    expect(committed).toEqual({ ...descriptor, mediaType: 'application/octet-stream' });
    expect(proxy.cuts).toBe(2);
    expect(proxy.sent).toBeLessThan(1.2 * bytes.length);
    const stored = await store.getBlob('a/b', descriptor.digest);
    expect(Buffer.compare(await stored.bytes(), bytes)).toBe(0);
  });

  test('says how much the registry has of a stream that was cut, so that the caller can resume it', async () => {
    const { port, running } = await setUp();
    const { descriptor, bytes } = randomBlob(12 * 1024 * 1024);
    const proxy = await cuttingProxy(port, [6_000_000]);
    ends.push(() => proxy.close());
    const client = createClient({ host: proxy.host, backOff: { first: 50 } });
    const upload = await client.startUpload('a/b');
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
    await expect(upload.append(stream, { size: bytes.length })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const said = upload.size ?? 0;
    // The registry may still have been reading what came before the cut.
    await expect.poll(running).toBe(0);
    const resumed = await client.resumeUpload('a/b', upload.id);
    expect(said).toBeLessThanOrEqual(resumed.size ?? 0);
    expect(resumed.size).toBeGreaterThan(0);
    await resumed.append(bytes.subarray(resumed.size), { at: resumed.size });
    await resumed.commit(descriptor.digest);
  });

  test('is cancelled at the registry, and a registry that cannot do that is no failure', async () => {
    const { registry, seen } = await setUp();
    const upload = await registry.startUpload('a/b');
    await upload.cancel();
    await upload.cancel();
    expect(seen).toEqual(['POST', 'DELETE']);
    const host = await listen((request, response) => {
      const status = request.method === 'POST' ? 202 : 405;
      response.writeHead(status, { location: '/v2/a/blobs/uploads/x', 'content-length': '0' }).end();
    });
    await (await createClient({ host }).startUpload('a')).cancel();
  });

  test.each([
    ['no Location', undefined],
    ['a Location that is no URL', 'http://['],
    ['a Location of another kind', 'ftp://example.com/x'],
    ['a Location with a user', 'http://user:secret@example.com/x'],
  ])('is not begun by an answer with %s', async (_what, location) => {
    const host = await listen((_, response) => {
      response.writeHead(202, { 'content-length': '0', ...(location === undefined ? {} : { location }) }).end();
    });
    const error = await createClient({ host })
      .startUpload('a')
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNKNOWN' });
    expect(String(error)).not.toContain('secret');
  });

  test('stays with https if its registry does not know of it', async () => {
    const urls: string[] = [];
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      urls.push(`${init.method} ${url}`);
      const isStart = init.method === 'POST';
      const location = isStart ? 'http://registry.test/v2/a/blobs/uploads/x' : '/v2/a/blobs/sha256:x';
      return new Response(null, { status: isStart ? 202 : 201, headers: { location } });
    };
    const registry = createClient({ host: 'registry.test', fetch });
    const digest: Digest = digestOf(new Uint8Array([1]));
    await registry.pushBlob('a', { digest }, new Uint8Array([1]));
    expect(urls).toEqual([
      'POST https://registry.test/v2/a/blobs/uploads/',
      `PUT https://registry.test/v2/a/blobs/uploads/x?digest=${encodeURIComponent(digest)}`,
    ]);
    const elsewhere = createClient({
      host: 'registry.test',
      fetch: async () => new Response(null, { status: 202, headers: { location: 'http://other.test/x' } }),
    });
    await expect(elsewhere.startUpload('a')).rejects.toMatchObject({ code: 'UNKNOWN' });
  });
});

describe('a mount', () => {
  test('becomes an upload if the blob is not there, and takes one request if it is', async () => {
    const { store, registry, seen } = await setUp();
    const { descriptor, bytes } = randomBlob(1000);
    const { digest } = descriptor;
    const { upload } = await registry.mountBlob('from', 'to', digest);
    await upload?.commit(digest, { source: bytes });
    expect(seen).toEqual(['POST', 'PUT']);
    seen.length = 0;
    expect(await registry.mountBlob('to', 'other', digest)).toMatchObject({ descriptor: { digest, size: 1000 } });
    expect(seen).toEqual(['POST']);
    expect((await store.resolveBlob('other', digest)).size).toBe(1000);
  });

  test.each([403, 404, 405])('becomes an upload if the registry answers %i', async (status) => {
    const queries: (string | undefined)[] = [];
    const host = await listen((request, response) => {
      queries.push(request.url);
      const mounts = request.url?.includes('mount=') === true;
      response.writeHead(mounts ? status : 202, { location: '/v2/to/blobs/uploads/x', 'content-length': '0' }).end();
    });
    const { digest } = randomBlob(10).descriptor;
    const { upload } = await createClient({ host }).mountBlob('from', 'to', digest);
    expect(upload?.size).toBe(0);
    expect(queries).toEqual([
      `/v2/to/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=from`,
      '/v2/to/blobs/uploads/',
    ]);
  });

  test('asks for the size if the registry does not say it', async () => {
    const { digest } = randomBlob(10).descriptor;
    const host = await listen((request, response) => {
      const headers = { location: '/v2/to/blobs/x', 'docker-content-digest': digest };
      if (request.method === 'HEAD') response.writeHead(200, { ...headers, 'content-length': '10' }).end();
      else response.writeHead(201, { ...headers, 'content-length': '0' }).end();
    });
    expect(await createClient({ host }).mountBlob('from', 'to', digest)).toMatchObject({ descriptor: { size: 10 } });
    const other = randomBlob(10).descriptor.digest;
    await expect(createClient({ host }).mountBlob('from', 'to', other)).rejects.toMatchObject({ code: 'UNKNOWN' });
  });
});

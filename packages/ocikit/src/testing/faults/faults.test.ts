import { beforeEach, describe, expect, test } from 'vitest';

import { createServer } from '../../http/server/index.ts';
import type { Middleware } from '../../http/server/index.ts';
import { digestOf } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { startTestServer } from '../../../test/start-test-server.ts';

import {
  corruptAnswers,
  cutAnswers,
  cutRequests,
  imageOf,
  randomBlob,
  redirectRequests,
  refuseRequests,
  resizeAnswers,
  slowAnswers,
} from '../node.ts';
import type { TestServer } from '../node.ts';
import { testClient } from '../test-client/index.ts';

let server: TestServer;
const image = imageOf({ layers: [randomBlob(100_000)] });
const blob = image.blobs[1] ?? image;
const blobPath = `/v2/a/blobs/${blob.descriptor.digest}`;

beforeEach(async () => {
  server = await startTestServer({ allowedHosts: ['cdn.example.com'] });
  await server.addRef('a', 'v1', image);
});

const get = (path: string, init: RequestInit = {}): Promise<Response> => server.fetch(server.url + path, init);

/** The received part of a body, and whether it is the whole body. */
async function received(path: string): Promise<{ bytes: Uint8Array; isWhole: boolean; announced: string | null }> {
  const response = await get(path);
  const announced = response.headers.get('content-length');
  const pieces: Uint8Array[] = [];
  let isWhole = true;
  try {
    for await (const piece of response.body ?? []) pieces.push(piece);
  } catch {
    isWhole = false;
  }
  return { bytes: Buffer.concat(pieces), isWhole, announced };
}

describe('refuseRequests', () => {
  test('answers that the registry is unavailable, for the first requests of each method and path', async () => {
    server.inject(refuseRequests({ times: 2, retryAfter: '1' }));
    for (const path of ['/v2/', '/v2/a/tags/list']) {
      const statuses: number[] = [];
      for (let times = 0; times < 4; times++) statuses.push((await get(path)).status);
      expect(statuses).toEqual([503, 503, 200, 200]);
    }
    const refused = await get('/v2/a/manifests/v1');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
  });

  test('answers with any code or status, for the chosen requests', async () => {
    server.inject(
      refuseRequests({ as: 'TOOMANYREQUESTS', resources: ['tags'] }),
      refuseRequests({ as: 502, when: ({ query }) => query === 'x' }),
    );
    const refused = await get('/v2/a/tags/list');
    expect([refused.status, await refused.json()]).toMatchObject([429, { errors: [{ code: 'TOOMANYREQUESTS' }] }]);
    const broken = await get('/v2/?x');
    expect([broken.status, await broken.text()]).toEqual([502, '']);
    expect((await get('/v2/')).status).toBe(200);
  });
});

describe('cutAnswers', () => {
  test.each([
    ['half', 50_000],
    [1, 1],
    [99_999, 99_999],
  ] as const)('ends the connection after %s of a blob', async (after, count) => {
    server.inject(cutAnswers({ resources: ['blob'], after, times: 1 }));
    const cut = await received(blobPath);
    expect(cut).toMatchObject({ isWhole: false, announced: '100000' });
    expect(Buffer.compare(cut.bytes, blob.bytes.subarray(0, count))).toBe(0);
    expect(await received(blobPath)).toMatchObject({ isWhole: true });
  });

  test('ends the connection before any byte of the answer, after the registry has handled the request', async () => {
    server.inject(cutAnswers({ after: 0, methods: ['PUT'] }));
    const put = get('/v2/b/manifests/v1', { method: 'PUT', body: 'x' });
    await expect(put).rejects.toThrow('fetch failed');
    server.inject(cutAnswers({ after: 0, resources: ['manifest'] }));
    await expect(get('/v2/a/manifests/v1')).rejects.toThrow('fetch failed');
  });

  test.each(['node', 'fetch'])('loses the answer to a push, which has no body, with the %s handler', async (kind) => {
    const { bytes, mediaType } = imageOf({ config: image.blobs[0], layers: [] });
    const fault = cutAnswers({ after: 0, methods: ['PUT', 'POST', 'HEAD', 'DELETE'] });
    server.inject(fault);
    const handler = createServer(server.registry, { middleware: [fault] });
    const request = async (method: string, path: string, body?: Uint8Array): Promise<unknown> => {
      const init = { method, body: (body ?? null) as BodyInit | null, headers: { 'content-type': mediaType } };
      if (kind === 'node') return (await get(path, init)).text();
      return (await handler.fetch(new Request(`http://x${path}`, init))).text();
    };
    await expect(request('PUT', '/v2/a/manifests/v2', bytes)).rejects.toThrow();
    expect((await server.registry.resolveTag('a', 'v2')).size).toBe(bytes.length);
    await expect(request('POST', '/v2/b/blobs/uploads/')).rejects.toThrow();
    await expect(request('DELETE', '/v2/a/manifests/v2')).rejects.toThrow();
    await expect(server.registry.resolveTag('a', 'v2')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    if (kind === 'node') await expect(request('HEAD', '/v2/')).rejects.toThrow();
    if (kind === 'node') await expect(request('HEAD', blobPath)).rejects.toThrow();
  });

  test('lets answers pass that have no body or a shorter one', async () => {
    server.inject(cutAnswers({ after: 100_000 }));
    expect((await get(blobPath, { method: 'HEAD' })).status).toBe(200);
    expect(await received(blobPath)).toMatchObject({ isWhole: true });
  });
});

describe('cutRequests', () => {
  test('ends the connection in the middle of a chunk, and the registry keeps the bytes before', async () => {
    server.inject(cutRequests({ methods: ['PATCH'], after: 60_000, times: 1 }));
    const registry = testClient(server.url, { fetch: server.fetch });
    const upload = await registry.startUpload('b');
    await expect(upload.append(blob.bytes)).rejects.toThrow('fetch failed');
    const resumed = await registry.resumeUpload('b', upload.id);
    expect(resumed.size).toBe(60_000);
    await resumed.append(blob.bytes.subarray(60_000), { at: 60_000 });
    expect(await resumed.commit(blob.descriptor.digest)).toMatchObject({ size: 100_000 });
  });

  test('does not answer a request without a body', async () => {
    server.inject(cutRequests({ methods: ['POST'] }));
    await expect(get('/v2/', { method: 'POST' })).rejects.toThrow('fetch failed');
    expect((await get('/v2/')).status).toBe(200);
  });
});

describe('redirectRequests', () => {
  test('redirects each path once to this server', async () => {
    server.inject(redirectRequests());
    const redirected = await get('/v2/a/tags/list?n=1');
    expect([redirected.status, redirected.headers.get('location')]).toEqual([307, '/v2/a/tags/list?n=1']);
    expect((await get('/v2/a/tags/list?n=1')).status).toBe(200);
  });

  test('redirects requests to another host, where they pass', async () => {
    server.inject(redirectRequests({ to: 'http://cdn.example.com', status: 302, resources: ['blob'] }));
    const redirected = await get(blobPath);
    expect([redirected.status, redirected.headers.get('location')]).toEqual([302, `http://cdn.example.com${blobPath}`]);
    const found = await server.fetch(`http://cdn.example.com${blobPath}`, {});
    expect(digestOf(new Uint8Array(await found.arrayBuffer()))).toBe(blob.descriptor.digest);
    expect((await get(blobPath)).status).toBe(302);
  });
});

describe('corruptAnswers', () => {
  test.each([
    ['half', 50_000],
    [0, 0],
    [99_999, 99_999],
  ] as const)('changes the byte at %s, and neither the store nor the announced digest', async (at, index) => {
    const end = server.inject(corruptAnswers({ at }));
    const response = await get(blobPath);
    expect(response.headers.get('docker-content-digest')).toBe(blob.descriptor.digest);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const differing = [...bytes.keys()].filter((key) => bytes[key] !== blob.bytes[key]);
    expect(differing).toEqual([index]);
    end();
    expect(digestOf((await received(blobPath)).bytes)).toBe(blob.descriptor.digest);
  });

  test('changes manifests, but no errors', async () => {
    server.inject(corruptAnswers());
    const bytes = new Uint8Array(await (await get('/v2/a/manifests/v1')).arrayBuffer());
    expect(bytes).toHaveLength(image.bytes.length);
    expect(digestOf(bytes)).not.toBe(image.descriptor.digest);
    expect(await (await get('/v2/a/manifests/v2')).json()).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] });
  });
});

test.each([
  [-1, 99_999],
  [-100_000, 0],
  [1, 100_001],
])('resizeAnswers gives a body that is %i bytes longer and complete to HTTP', async (by, size) => {
  server.inject(resizeAnswers({ by }));
  const resized = await received(blobPath);
  expect(resized).toMatchObject({ isWhole: true, announced: `${size}` });
  const same = Math.min(size, 100_000);
  expect(resized.bytes).toHaveLength(size);
  expect(Buffer.compare(resized.bytes.subarray(0, same), blob.bytes.subarray(0, same))).toBe(0);
});

describe('slowAnswers', () => {
  test('delays an answer and slows its body', async () => {
    server.inject(slowAnswers({ delay: 100, bytesPerSecond: 500_000 }));
    const startedAt = performance.now();
    const response = await get(blobPath);
    expect(performance.now() - startedAt).toBeGreaterThan(90);
    expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(blob.descriptor.digest);
    expect(performance.now() - startedAt).toBeGreaterThan(290);
  });

  test('ends when the client disconnects', async () => {
    server.inject(slowAnswers({ delay: 60_000 }));
    const signal = AbortSignal.timeout(50);
    await expect(get(blobPath, { signal })).rejects.toThrow('timeout');
    // Closing waits for running requests.
    await server.close();
  });
});

test('faults work without a network, and the answer fails there', async () => {
  const registry = createMemoryRegistry();
  await registry.pushBlob('a', blob.descriptor, blob.bytes);
  const answer = async (fault: Middleware): Promise<Response> =>
    createServer(registry, { middleware: [fault] }).fetch(new Request(`http://registry.test${blobPath}`));
  await expect((await answer(cutAnswers())).arrayBuffer()).rejects.toThrow('as the test wants it');
  expect((await answer(refuseRequests())).status).toBe(503);
  const corrupt = new Uint8Array(await (await answer(corruptAnswers())).arrayBuffer());
  expect(digestOf(corrupt)).not.toBe(blob.descriptor.digest);
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { digestOf, partialRegistry, RedirectError, RegistryError } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

const bytes = new TextEncoder().encode('0123456789');
const digest = digestOf(bytes);

describe('a blob', () => {
  let server: TestServer;
  const registry = createMemoryRegistry();
  const url = `/v2/a/b/blobs/${digest}`;

  beforeAll(async () => {
    server = await startSharedServer(registry);
    await registry.pushBlob('a/b', { digest }, bytes);
    const none = new Uint8Array();
    await registry.pushBlob('a/b', { digest: digestOf(none) }, none);
  });
  afterAll(() => server.close());

  test('is sent with its length, type, digest and entity tag', async () => {
    const response = await server.fetch(url);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '10',
      'docker-content-digest': digest,
      etag: `"${digest}"`,
      'accept-ranges': 'bytes',
      'docker-distribution-api-version': 'registry/2.0',
    });
    expect(await response.text()).toBe('0123456789');
  });

  test('is answered to HEAD with the same headers and no body, with or without Range', async () => {
    const response = await server.fetch(url, { method: 'HEAD', headers: { range: 'bytes=2-3' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('docker-content-digest')).toBe(digest);
    expect(await response.text()).toBe('');
  });

  test.each([
    ['bytes=2-5', '2345', 'bytes 2-5/10'],
    ['bytes=2-', '23456789', 'bytes 2-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=8-500', '89', 'bytes 8-9/10'],
    ['bytes=-500', '0123456789', 'bytes 0-9/10'],
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['Bytes= 9-9', '9', 'bytes 9-9/10'],
    ['bytes=0-99999999999999999999', '0123456789', 'bytes 0-9/10'],
  ])('is answered to Range %s with 206 and %s', async (range, body, contentRange) => {
    const response = await server.fetch(url, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(`${body.length}`);
    expect(await response.text()).toBe(body);
  });

  test.each(['bytes=10-', 'bytes=10-12', 'bytes=99999999999999999999-', 'bytes=-0'])(
    'is answered to Range %s, which is past its end, with 416 and its size',
    async (range) => {
      const response = await server.fetch(url, { headers: { range } });
      expect(response.status).toBe(416);
      expect(response.headers.get('content-range')).toBe('bytes */10');
      expect(await server.codeOf(response)).toBe('RANGE_INVALID');
    },
  );

  test.each(['bytes=5-2', 'bytes=a-b', 'bytes=', 'bytes', 'bytes=1-2-3', 'bytes=--1', 'bytes=1-2,x'])(
    'is answered to the malformed Range %s with 416 and its size',
    async (range) => {
      const response = await server.fetch(url, { headers: { range } });
      expect(response.status).toBe(416);
      expect(response.headers.get('content-range')).toBe('bytes */10');
      expect(await server.codeOf(response)).toBe('RANGE_INVALID');
    },
  );

  test.each(['items=0-1', 'bytes=0-5,4-9', 'bytes=0-,0-', 'bytes=-10,0-0'])(
    'is sent whole to Range %s',
    async (range) => {
      const response = await server.fetch(url, { headers: { range } });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('0123456789');
    },
  );

  test('without bytes is sent whole to any Range', async () => {
    const response = await server.fetch(`/v2/a/b/blobs/${digestOf(new Uint8Array())}`, {
      headers: { range: 'bytes=0-' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('0');
  });

  test('is sent in part only if If-Range names this content', async () => {
    const same = await server.fetch(url, { headers: { range: 'bytes=0-1', 'if-range': `"${digest}"` } });
    const other = await server.fetch(url, { headers: { range: 'bytes=0-1', 'if-range': '"other"' } });
    expect([same.status, other.status]).toEqual([206, 200]);
  });

  test.each([`"${digest}"`, '*', `"x", "${digest}"`])('is answered to If-None-Match %s with 304', async (tag) => {
    for (const method of ['GET', 'HEAD']) {
      const response = await server.fetch(url, { method, headers: { 'if-none-match': tag } });
      expect(response.status).toBe(304);
      expect(await response.text()).toBe('');
    }
  });

  test('is answered 412 if If-Match names another blob, and conditions come before Range', async () => {
    expect((await server.fetch(url, { headers: { 'if-match': '"other"' } })).status).toBe(412);
    const headers = { 'if-none-match': `"${digest}"`, range: 'nonsense' };
    expect((await server.fetch(url, { headers })).status).toBe(304);
  });

  test('that does not exist is answered 404, not 304', async () => {
    const response = await server.fetch(`/v2/a/b/blobs/${digestOf(new Uint8Array([1]))}`, {
      headers: { 'if-none-match': '*' },
    });
    expect(response.status).toBe(404);
  });

  test.each([
    ['/v2/a/b/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
    [`/v2/a/b/blobs/md5:${'a'.repeat(32)}`, 400, 'DIGEST_INVALID'],
    [`/v2/a/b/blobs/sha256:${'A'.repeat(64)}`, 400, 'DIGEST_INVALID'],
    [`/v2/a/b/blobs/sha256:${'a'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    [`/v2/a/c/blobs/${digest}`, 404, 'NAME_UNKNOWN'],
    [`/v2/A/blobs/${digest}`, 400, 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/blobs/${digest}`, 400, 'NAME_INVALID'],
    [`/v2/a%2Fb/blobs/${digest}`, 400, 'NAME_INVALID'],
    [`/v2/../blobs/${digest}`, 400, 'NAME_INVALID'],
    [`/v2//blobs/${digest}`, 400, 'NAME_INVALID'],
    ['/v2/a/b/blobs/%E0%A4%A', 400, 'BAD_REQUEST'],
  ])('at %s is answered %i %s', async (path, status, code) => {
    const response = await server.raw('GET', path);
    expect([response.status, response.code]).toEqual([status, code]);
  });

  test('is found by a digest with an encoded colon', async () => {
    expect((await server.fetch(url.replace(':', '%3A'))).status).toBe(200);
  });

  test('is deleted with 202, and with 404 the second time', async () => {
    const doomed = new Uint8Array([7, 7]);
    await registry.pushBlob('a/b', { digest: digestOf(doomed) }, doomed);
    const path = `/v2/a/b/blobs/${digestOf(doomed)}`;
    expect((await server.fetch(path, { method: 'DELETE' })).status).toBe(202);
    const again = await server.fetch(path, { method: 'DELETE' });
    expect([again.status, await server.codeOf(again)]).toEqual([404, 'BLOB_UNKNOWN']);
  });
});

describe('a blob with another location', () => {
  test('is redirected to where a RedirectError of the registry says', async () => {
    const registry = createMemoryRegistry({
      blobs: { get: () => Promise.reject(new RedirectError('https://cdn.example/x?signature=s', 302)) },
    });
    const server = await startServer(registry);
    for (const method of ['GET', 'HEAD']) {
      const response = await server.fetch(`/v2/a/blobs/${digest}`, { method, redirect: 'manual' });
      expect(response.status).toBe(302);
      expect(response.headers.get('location')).toBe('https://cdn.example/x?signature=s');
      expect(await response.text()).toBe('');
    }
  });

  test('is redirected to the first http URL of its descriptor', async () => {
    const descriptor = {
      mediaType: 'application/octet-stream',
      digest,
      size: 10,
      urls: ['file:///etc/passwd', 'javascript:alert(1)', '//x.example/', 'https://mirror.example/blob'],
    };
    const server = await startServer(partialRegistry({ resolveBlob: async () => descriptor }));
    const response = await server.fetch(`/v2/a/blobs/${digest}`, { method: 'HEAD', redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([307, 'https://mirror.example/blob']);
  });

  test('that is not an http URL is a server error, and the answer does not contain it', async () => {
    const server = await startServer(
      createMemoryRegistry({ blobs: { get: () => Promise.reject(new RedirectError('file:///secret')) } }),
    );
    const response = await server.fetch(`/v2/a/blobs/${digest}`, { redirect: 'manual' });
    expect(response.headers.get('location')).toBeNull();
    expect(await response.text()).not.toContain('secret');
  });
});

describe('a store that fails', () => {
  test('before the answer causes an error without private details, and the log has the details', async () => {
    const errors: unknown[] = [];
    const server = await startServer(
      partialRegistry({ getBlob: () => Promise.reject(new Error('password is hunter2')) }),
      { onError: (error) => errors.push(error) },
    );
    const response = await server.fetch(`/v2/a/blobs/${digest}`);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({ errors: [{ code: 'UNKNOWN', message: 'internal error' }] });
    expect(errors).toHaveLength(1);
  });

  test.each([
    ['TOOMANYREQUESTS', 429],
    ['DENIED', 403],
    ['UNAUTHORIZED', 401],
    ['UNAVAILABLE', 503],
  ] as const)('%s is answered %i, with Retry-After if there is one', async (code, status) => {
    const error = new RegistryError(code, 'not now', { retryAfter: 1.5 });
    const server = await startServer(partialRegistry({ getBlob: () => Promise.reject(error) }));
    const response = await server.fetch(`/v2/a/blobs/${digest}`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, '2']);
  });
});

import { connect } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { digestOf, fromBase64Url, partialRegistry, RegistryError } from '../../../model/index.ts';
import type { BlobUpload, Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

const bytes = new TextEncoder().encode('0123456789');
const digest = digestOf(bytes);
const sha512 = digestOf(bytes, 'sha512');

let server: TestServer;
let registry: Registry;

beforeAll(async () => {
  registry = createMemoryRegistry();
  server = await startSharedServer(registry);
});
afterAll(() => server.close());

async function begin(query = '', repository = 'a'): Promise<string> {
  const response = await server.fetch(`/v2/${repository}/blobs/uploads/${query}`, { method: 'POST' });
  expect(response.status).toBe(202);
  return response.headers.get('location') ?? '';
}

function patch(location: string, body: string, range?: string): Promise<Response> {
  const headers = range === undefined ? {} : { 'content-range': range };
  return server.fetch(location, { method: 'PATCH', body, headers });
}

function put(location: string, body = '', digestParameter: string = digest): Promise<Response> {
  return server.fetch(`${location}?digest=${digestParameter}`, { method: 'PUT', body });
}

async function exists(repository: string): Promise<boolean> {
  return (await server.fetch(`/v2/${repository}/blobs/${digest}`)).status === 200;
}

describe('an upload', () => {
  afterEach(() => registry.deleteBlob('a', digest).catch(() => undefined));

  test('starts at a location of this server, without bytes', async () => {
    const response = await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' });
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toMatch(/^\/v2\/a\/blobs\/uploads\/[\w.-]+$/);
    expect(response.headers.get('range')).toBe('0-0');
    expect(response.headers.get('upload-offset')).toBe('0');
    expect(response.headers.get('content-length')).toBe('0');
  });

  test('also starts at the path without its final slash', async () => {
    expect((await server.fetch('/v2/a/blobs/uploads', { method: 'POST' })).status).toBe(202);
  });

  test('accepts the whole blob in the PUT', async () => {
    const response = await put(await begin(), '0123456789');
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v2/a/blobs/${digest}`);
    expect(response.headers.get('docker-content-digest')).toBe(digest);
    expect(await exists('a')).toBe(true);
  });

  test('accepts consecutive chunks, and reports its size after each', async () => {
    let location = await begin();
    for (const [chunk, range, upTo] of [
      ['0123', '0-3', '0-3'],
      ['4567', '4-7', '0-7'],
    ] as const) {
      const response = await patch(location, chunk, range);
      expect([response.status, response.headers.get('range')]).toEqual([202, upTo]);
      location = response.headers.get('location') ?? '';
    }
    const status = await server.fetch(location);
    expect([status.status, status.headers.get('range'), status.headers.get('upload-offset')]).toEqual([
      204,
      '0-7',
      '8',
    ]);
    expect(status.headers.get('location')).toBe(location);
    expect((await put(location, '89')).status).toBe(201);
  });

  test('accepts streams without Content-Range, one after the other', async () => {
    const location = await begin();
    for (const chunk of ['01234', '56789']) {
      const body = new Blob([chunk]).stream();
      const response = await server.fetch(location, { method: 'PATCH', body, duplex: 'half' } as RequestInit);
      expect(response.status).toBe(202);
    }
    expect((await put(location)).status).toBe(201);
  });

  test('accepts the last chunk in the PUT after a PATCH, with or without Content-Range', async () => {
    const first = await begin();
    await patch(first, '01234', '0-4');
    const withRange = await server.fetch(`${first}?digest=${digest}`, {
      method: 'PUT',
      body: '56789',
      headers: { 'content-range': '5-9' },
    });
    const second = await begin();
    await patch(second, '01234', '0-4');
    expect([withRange.status, (await put(second, '56789')).status]).toEqual([201, 201]);
  });

  test.each(['0-0', '10-9', '36-35'])('is committed by an empty PUT with Content-Range %s', async (range) => {
    const location = await begin();
    await patch(location, '0123456789');
    const response = await server.fetch(`${location}?digest=${digest}`, {
      method: 'PUT',
      headers: { 'content-range': range, 'content-length': '0' },
    });
    expect(response.status).toBe(201);
  });

  test.each([
    ['bytes 0-9', 202],
    ['bytes 0-9/10', 202],
    ['bytes 0-9/*', 202],
    ['0-9/10', 202],
    ['0-9', 202],
  ])('accepts Content-Range %s as clients write it', async (range, status) => {
    expect((await patch(await begin(), '0123456789', range)).status).toBe(status);
  });

  test.each(['0', 'a-b', '9-0', '-5', '5-', '0-9-1', '0-9 0-9'])(
    'answers the malformed Content-Range %s with 400 BLOB_UPLOAD_INVALID and stores nothing',
    async (range) => {
      const location = await begin();
      const response = await patch(location, '0123456789', range);
      expect([response.status, await server.codeOf(response)]).toEqual([400, 'BLOB_UPLOAD_INVALID']);
      expect((await server.fetch(location)).headers.get('upload-offset')).toBe('0');
    },
  );

  test('answers a chunk out of order with 416 and the right offset', async () => {
    const location = await begin();
    await patch(location, '0123', '0-3');
    for (const [chunk, range] of [
      ['6789', '6-9'],
      ['0123', '0-3'],
    ] as const) {
      const response = await patch(location, chunk, range);
      expect([response.status, await server.codeOf(response)]).toEqual([416, 'RANGE_INVALID']);
      expect(response.headers.get('location')).toBe(location);
      expect([response.headers.get('range'), response.headers.get('upload-offset')]).toEqual(['0-3', '4']);
    }
    const last = await server.fetch(`${location}?digest=${digest}`, {
      method: 'PUT',
      body: '6789',
      headers: { 'content-range': '6-9' },
    });
    expect(last.status).toBe(416);
    expect((await patch(location, '456789', '4-9')).status).toBe(202);
    expect((await put(location)).status).toBe(201);
  });

  test('answers a chunk with another length than its range with 400 SIZE_INVALID and stores nothing', async () => {
    const location = await begin();
    const response = await patch(location, '0123', '0-9');
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'SIZE_INVALID']);
    const body = new Blob(['01234']).stream();
    const streamed = await server.fetch(location, {
      method: 'PATCH',
      body,
      duplex: 'half',
      headers: { 'content-range': '0-2' },
    } as RequestInit);
    expect([streamed.status, await server.codeOf(streamed)]).toEqual([400, 'SIZE_INVALID']);
    expect((await server.fetch(location)).headers.get('upload-offset')).toBe('0');
  });

  test('committed with a wrong digest is answered 400 DIGEST_INVALID and keeps its bytes', async () => {
    const location = await begin();
    await patch(location, '01234');
    const wrong = await put(location, '56789', `sha256:${'0'.repeat(64)}`);
    expect([wrong.status, await server.codeOf(wrong)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await server.fetch(location)).headers.get('upload-offset')).toBe('5');
    expect((await put(location, '56789')).status).toBe(201);
  });

  test('with a PUT that is cut off accepts the same PUT again', async () => {
    const location = await begin();
    const cut = connect(server.port, '127.0.0.1');
    cut.write(`PUT ${location}?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123`);
    const offset = async (): Promise<string | null> => (await server.fetch(location)).headers.get('upload-offset');
    await expect.poll(offset).toBe('4');
    cut.destroy();
    await expect.poll(offset).toBe('0');
    expect((await put(location, '0123456789')).status).toBe(201);
  });

  test.each(['', 'sha256:abc', 'md5:d41d8cd98f00b204e9800998ecf8427e', 'x'])(
    'cannot be committed with the digest %j',
    async (text) => {
      const response = await put(await begin(), '', text);
      expect([response.status, await server.codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
    },
  );

  test('cannot be committed without a digest', async () => {
    const response = await server.fetch(await begin(), { method: 'PUT', body: 'x' });
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
  });

  test('is unknown once it has been committed or cancelled', async () => {
    const committed = await begin();
    await put(committed, '0123456789');
    const cancelled = await begin();
    await patch(cancelled, '01234');
    expect((await server.fetch(cancelled, { method: 'DELETE' })).status).toBe(204);
    for (const location of [committed, cancelled]) {
      for (const method of ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']) {
        // See the next test.
        if (location === committed && method === 'PUT') continue;
        const query = method === 'PUT' ? `?digest=${digest}` : '';
        const response = await server.fetch(location + query, { method });
        expect(response.status, method).toBe(404);
        if (method !== 'HEAD') expect(await server.codeOf(response)).toBe('BLOB_UPLOAD_UNKNOWN');
      }
    }
  });

  test('is answered again as it was committed, because a client may have lost the first answer', async () => {
    const location = await begin();
    expect((await put(location, '0123456789')).status).toBe(201);
    for (const body of ['0123456789', '']) {
      const again = await put(location, body);
      expect([again.status, again.headers.get('location')]).toEqual([201, `/v2/a/blobs/${digest}`]);
      expect(again.headers.get('docker-content-digest')).toBe(digest);
    }
  });

  test('is unknown after its commit for another digest, another repository, a chunk, and once the blob is gone', async () => {
    const location = await begin();
    expect((await put(location, '0123456789')).status).toBe(201);
    const others = [
      await put(location, '0123456789', digestOf(bytes.slice(1))),
      await put(location.replace('/v2/a/', '/v2/b/'), '0123456789'),
      await patch(location, '0123456789'),
      await server.fetch(location),
      await server.fetch(location, { method: 'DELETE' }),
    ];
    await registry.deleteBlob('a', digest);
    others.push(await put(location, '0123456789'));
    for (const response of others) expect(await server.codeOf(response)).toBe('BLOB_UPLOAD_UNKNOWN');
  });

  test('belongs to one repository', async () => {
    const location = (await begin()).replace('/v2/a/', '/v2/b/');
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const query = method === 'PUT' ? `?digest=${digest}` : '';
      const response = await server.fetch(location + query, { method });
      expect([response.status, await server.codeOf(response)], method).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    }
    expect((await server.fetch('/v2/b/tags/list')).status).toBe(404);
  });

  test.each(['x', '..%2F..%2Fetc', '%2e%2e', '~!!', '~Li4vLi4v', '-'.repeat(5000)])(
    'with the invented id %s is unknown',
    async (id) => {
      const response = await server.raw('PATCH', `/v2/a/blobs/uploads/${id}`, {}, 'x');
      expect([response.status, response.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    },
  );

  test('for a sha512 digest names the algorithm at its start, or only at its end', async () => {
    const told = await put(await begin('?digest-algorithm=sha512'), '0123456789', sha512);
    const untold = await begin();
    await patch(untold, '0123456789');
    expect([told.status, (await put(untold, '', sha512)).status]).toEqual([201, 201]);
    expect(told.headers.get('docker-content-digest')).toBe(sha512);
  });

  test.each([
    ['?digest-algorithm=md5', 'DIGEST_INVALID'],
    [`?digest-algorithm=sha512&digest=${digest}`, 'DIGEST_INVALID'],
    ['?digest=sha256:abc', 'DIGEST_INVALID'],
    ['?mount=latest', 'DIGEST_INVALID'],
    ['?mount=sha256:abc&from=a', 'DIGEST_INVALID'],
  ])('started with %s is answered 400 %s', async (query, code) => {
    const response = await server.fetch(`/v2/a/blobs/uploads/${query}`, { method: 'POST' });
    expect([response.status, await server.codeOf(response)]).toEqual([400, code]);
  });
});

test.each(['?digest-algorithm=', '?digest=', '?mount=', '?mount=&from=&digest=', '?mount=&from=a'])(
  'a POST with the empty parameters %s starts an upload as one without them does',
  async (query) => {
    const response = await server.fetch(`/v2/a/blobs/uploads/${query}`, { method: 'POST' });
    expect(response.status).toBe(202);
    expect((await put(response.headers.get('location') ?? '', '0123456789')).status).toBe(201);
  },
);

describe('a single POST', () => {
  test('stores the blob', async () => {
    const response = await server.fetch(`/v2/single/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });
    expect([response.status, response.headers.get('location')]).toEqual([201, `/v2/single/blobs/${digest}`]);
    expect(await exists('single')).toBe(true);
  });

  test('with other content is answered 400 and creates no repository', async () => {
    const response = await server.fetch(`/v2/none/blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'x' });
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await server.fetch('/v2/none/tags/list')).status).toBe(404);
  });

  test('is answered 202 with disableSinglePostUpload, and the PUT stores the blob', async () => {
    const other = await startServer(createMemoryRegistry(), { disableSinglePostUpload: true });
    const response = await other.fetch(`/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });
    expect(response.status).toBe(202);
    const stored = await other.fetch(`${response.headers.get('location')}?digest=${digest}`, {
      method: 'PUT',
      body: bytes,
    });
    expect(stored.status).toBe(201);
  });
});

describe('a mount', () => {
  beforeAll(async () => {
    await registry.pushBlob('source', { digest }, bytes);
  });

  test.each([`?mount=${digest}&from=source`, `?mount=${digest}`])(
    'with %s is answered 201 and copies nothing',
    async (query) => {
      const response = await server.fetch(`/v2/mounted/blobs/uploads/${query}`, { method: 'POST' });
      expect([response.status, response.headers.get('location')]).toEqual([201, `/v2/mounted/blobs/${digest}`]);
      expect(response.headers.get('docker-content-digest')).toBe(digest);
      expect(await exists('mounted')).toBe(true);
      await registry.deleteBlob('mounted', digest);
    },
  );

  test.each(['A', 'a:tag', '..%2Fa', '%2F', 'a'.repeat(256), 'https%3A%2F%2Fexample.com%2Fa'])(
    'from %s, which is no name of a repository, starts an upload',
    async (from) => {
      const response = await server.fetch(`/v2/unusable/blobs/uploads/?mount=${digest}&from=${from}`, {
        method: 'POST',
      });
      expect(response.status).toBe(202);
      expect((await put(response.headers.get('location') ?? '', '0123456789')).status).toBe(201);
    },
  );

  test('of a blob that no repository has, with an empty from, starts an upload', async () => {
    const other = await startServer(createMemoryRegistry());
    const response = await other.fetch(`/v2/a/blobs/uploads/?mount=${digest}&from=`, { method: 'POST' });
    expect(response.status).toBe(202);
  });

  test('from a repository without the blob starts an upload', async () => {
    const response = await server.fetch(`/v2/mounted/blobs/uploads/?mount=${digest}&from=elsewhere`, {
      method: 'POST',
    });
    expect(response.status).toBe(202);
    expect((await put(response.headers.get('location') ?? '', '0123456789')).status).toBe(201);
  });

  test('that the registry does not support starts an upload', async () => {
    const other = await startServer({
      ...createMemoryRegistry(),
      mountBlob: () => Promise.reject(new RegistryError('UNSUPPORTED', 'no mounts here')),
    });
    const response = await other.fetch(`/v2/a/blobs/uploads/?mount=${digest}&from=b`, { method: 'POST' });
    expect(response.status).toBe(202);
  });

  test('that is denied is answered 403, not as a missing blob', async () => {
    const other = await startServer(
      partialRegistry({ mountBlob: () => Promise.reject(new RegistryError('DENIED', 'not yours')) }),
    );
    const response = await other.fetch(`/v2/a/blobs/uploads/?mount=${digest}&from=b`, { method: 'POST' });
    expect([response.status, await other.codeOf(response)]).toEqual([403, 'DENIED']);
  });
});

describe('a server over a registry with upload ids that are URLs', () => {
  /** A registry whose upload ids are URLs, and change with each chunk, as a client's do. */
  function urlRegistry(calls: string[]): Registry {
    const store = createMemoryRegistry();
    const wrap = (inner: BlobUpload, step: number): BlobUpload => ({
      get id() {
        return `https://registry.example/v2/x/blobs/uploads/${inner.id}?state=${step}&a=b/c#d`;
      },
      get size() {
        return inner.size;
      },
      minimumChunk: 4,
      append: async (source, options) => {
        calls.push(`append at ${options?.at}`);
        const size = await inner.append(source, options);
        step++;
        return size;
      },
      commit: (committed, options) => {
        calls.push(`commit ${options?.source === undefined ? 'without' : 'with'} a chunk`);
        return inner.commit(committed, options);
      },
      close: () => inner.close(),
      cancel: () => inner.cancel(),
      [Symbol.asyncDispose]: () => inner.close(),
    });
    return partialRegistry({
      getBlob: (...args) => store.getBlob(...args),
      startUpload: async (repository, options) => wrap(await store.startUpload(repository, options), 0),
      resumeUpload: async (repository, id, options) => {
        calls.push(`resume at ${options?.offset}`);
        const url = new URL(id);
        const inner = url.pathname.split('/').at(-1) ?? '';
        return wrap(await store.resumeUpload(repository, inner, options), Number(url.searchParams.get('state')));
      },
    });
  }

  test('accepts pushes of every kind, without needless calls of the registry', async () => {
    const calls: string[] = [];
    const proxy = await startServer(urlRegistry(calls));
    const start = async (): Promise<Response> => proxy.fetch('/v2/a/blobs/uploads/', { method: 'POST' });

    const monolithic = await start();
    expect(monolithic.headers.get('oci-chunk-min-length')).toBe('4');
    const first = monolithic.headers.get('location') ?? '';
    expect(first).toMatch(/^\/v2\/a\/blobs\/uploads\/~[\w-]+$/);
    expect(new TextDecoder().decode(fromBase64Url(first.split('~')[1] ?? ''))).toContain('https://registry.example/');
    expect((await proxy.fetch(`${first}?digest=${digest}`, { method: 'PUT', body: bytes })).status).toBe(201);
    expect(calls.splice(0)).toEqual(['resume at end', 'commit with a chunk']);

    const chunked = (await start()).headers.get('location') ?? '';
    const patched = await proxy.fetch(chunked, {
      method: 'PATCH',
      body: '01234',
      headers: { 'content-range': '0-4' },
    });
    const next = patched.headers.get('location') ?? '';
    expect([patched.status, next === chunked]).toEqual([202, false]);
    const status = await proxy.fetch(next);
    expect([status.status, status.headers.get('upload-offset')]).toEqual([204, '5']);
    const committed = await proxy.fetch(`${next}?digest=${digest}`, {
      method: 'PUT',
      body: '56789',
      headers: { 'content-range': '5-9' },
    });
    expect(committed.status).toBe(201);
    expect(calls).toEqual(['resume at 0', 'append at 0', 'resume at undefined', 'resume at 5', 'commit with a chunk']);
    expect(await (await proxy.fetch(`/v2/a/blobs/${digest}`)).text()).toBe('0123456789');
  });

  test('sends clients to the URL of locationForUploadId in each answer with a location', async () => {
    const direct = await startServer(urlRegistry([]), { locationForUploadId: (id) => id });
    const response = await direct.fetch('/v2/a/blobs/uploads/', { method: 'POST' });
    expect(response.headers.get('location')).toMatch(/^https:\/\/registry\.example\/v2\/x\/blobs\/uploads\//);
    const seen: string[] = [];
    const local = await startServer(createMemoryRegistry(), {
      locationForUploadId: (id) => {
        seen.push(id);
        return seen.length === 1 ? '' : `https://up.example/${id}`;
      },
    });
    const begun = await local.fetch('/v2/a/blobs/uploads/', { method: 'POST' });
    const location = begun.headers.get('location') ?? '';
    expect(location).toMatch(/^\/v2\/a/);
    const later = [
      await local.fetch(location, { method: 'PATCH', body: 'x' }),
      await local.fetch(location),
      await local.fetch(location, { method: 'PATCH', body: 'x', headers: { 'content-range': '7-7' } }),
    ];
    expect(later.map(({ status }) => status)).toEqual([202, 204, 416]);
    for (const { headers } of later) expect(headers.get('location')).toMatch(/^https:\/\/up\.example\//);
  });
});

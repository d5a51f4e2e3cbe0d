import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { digestOf, mediaTypes } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

const tags = ['B', 'a', '1.0', '1.0-rc', '_x', 'z', '1.0.1'].toSorted();
const subject = { mediaType: mediaTypes.imageManifest, digest: digestOf(new Uint8Array([1])), size: 1 };

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function pushReferrer(registry: Registry, artifactType: string, note: string): Promise<void> {
  const bytes = encode({ schemaVersion: 2, artifactType, subject, manifests: [], annotations: { note } });
  await registry.pushManifest('a', bytes, mediaTypes.imageIndex);
}

let server: TestServer;
const registry = createMemoryRegistry();

beforeAll(async () => {
  server = await startSharedServer(registry);
  const bytes = encode({ schemaVersion: 2, manifests: [] });
  for (const repository of ['c/d', 'a', 'b'])
    await registry.pushManifest(repository, bytes, mediaTypes.imageIndex, { tags });
  for (let i = 0; i < 5; i++) await pushReferrer(registry, `application/vnd.example.${i % 2}`, `${i}`);
});
afterAll(() => server.close());

/** All pages, by following the links. */
async function pages(path: string, on = server): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let next: string | undefined = path; next !== undefined && all.length < 100;) {
    const response: Response = await on.fetch(next);
    expect(response.status).toBe(200);
    all.push(await response.json());
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
  }
  return all;
}

describe('tags', () => {
  test('come in byte order, all of them', async () => {
    expect(await pages('/v2/a/tags/list')).toEqual([{ name: 'a', tags }]);
  });

  test('come in pages, each with a link to the next', async () => {
    expect(await pages('/v2/a/tags/list?n=3')).toEqual([
      { name: 'a', tags: tags.slice(0, 3) },
      { name: 'a', tags: tags.slice(3, 6) },
      { name: 'a', tags: tags.slice(6) },
    ]);
  });

  test('have no link behind the last page, also if it is full', async () => {
    const response = await server.fetch(`/v2/a/tags/list?n=${tags.length}`);
    expect(response.headers.get('link')).toBeNull();
  });

  test('begin strictly after `last`, which need not exist', async () => {
    expect(await pages('/v2/a/tags/list?last=1.0')).toEqual([{ name: 'a', tags: tags.filter((tag) => tag > '1.0') }]);
    expect(await pages('/v2/a/tags/list?last=q&n=9')).toEqual([{ name: 'a', tags: ['z'] }]);
    expect(await pages('/v2/a/tags/list?last=zz')).toEqual([{ name: 'a', tags: [] }]);
  });

  test('with n=0 are none, without a link', async () => {
    const response = await server.fetch('/v2/a/tags/list?n=0');
    expect(await response.json()).toEqual({ name: 'a', tags: [] });
    expect(response.headers.get('link')).toBeNull();
  });

  test.each(['-1', 'x', '1.5', '', '1e3', ' 1'])('with n=%j are answered 400 PAGINATION_NUMBER_INVALID', async (n) => {
    const response = await server.fetch(`/v2/a/tags/list?n=${encodeURIComponent(n)}`);
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
  });

  test('with an enormous n are as many as there are', async () => {
    expect(await pages(`/v2/a/tags/list?n=${'9'.repeat(40)}`)).toEqual([{ name: 'a', tags }]);
  });

  test.each(['+', 'a/b', '%00', 'x'.repeat(129)])('with last=%s are answered 400', async (last) => {
    const response = await server.fetch(`/v2/a/tags/list?last=${last}`);
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  test.each(['/v2/none/tags/list', '/v2/none/tags/list?n=0'])('of an unknown repository: %s is 404', async (path) => {
    const response = await server.fetch(path);
    expect([response.status, await server.codeOf(response)]).toEqual([404, 'NAME_UNKNOWN']);
  });

  test('come in pages of limits.pageSize if the client says nothing, or too much', async () => {
    const other = await startServer(registry, { limits: { pageSize: 4 } });
    for (const path of ['/v2/a/tags/list', '/v2/a/tags/list?n=100']) {
      expect(await pages(path, other)).toEqual([
        { name: 'a', tags: tags.slice(0, 4) },
        { name: 'a', tags: tags.slice(4) },
      ]);
    }
  });

  test('beyond maxListPageSize are an error, and without n as many as that', async () => {
    const other = await startServer(registry, { maxListPageSize: 5 });
    const response = await other.fetch('/v2/a/tags/list?n=6');
    expect([response.status, await other.codeOf(response)]).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
    expect(await pages('/v2/a/tags/list', other)).toHaveLength(2);
  });

  test('have no link if the server is told so', async () => {
    const other = await startServer(registry, { omitLinkHeaderFromResponses: true });
    expect((await other.fetch('/v2/a/tags/list?n=2')).headers.get('link')).toBeNull();
  });

  test('HEAD is answered as GET, without the body', async () => {
    const response = await server.fetch('/v2/a/tags/list', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
  });
});

describe('the catalog', () => {
  test('lists repositories in pages', async () => {
    expect(await pages('/v2/_catalog')).toEqual([{ repositories: ['a', 'b', 'c/d'] }]);
    expect(await pages('/v2/_catalog?n=2')).toEqual([{ repositories: ['a', 'b'] }, { repositories: ['c/d'] }]);
    expect(await pages('/v2/_catalog?n=0')).toEqual([{ repositories: [] }]);
  });

  test('is an empty list, not null, of an empty registry', async () => {
    const other = await startServer(createMemoryRegistry());
    expect(await (await other.fetch('/v2/_catalog')).text()).toBe('{"repositories":[]}');
  });

  test('with a malformed last is answered 400', async () => {
    const response = await server.fetch('/v2/_catalog?last=A');
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'NAME_INVALID']);
  });
});

describe('referrers', () => {
  const path = `/v2/a/referrers/${subject.digest}`;
  interface Index {
    schemaVersion: number;
    mediaType: string;
    manifests: { digest: string; artifactType: string; annotations: { note: string } }[];
  }

  test('are an index of what refers to the subject, in order', async () => {
    const response = await server.fetch(path);
    expect(response.headers.get('content-type')).toBe(mediaTypes.imageIndex);
    const index = (await response.json()) as Index;
    expect(index).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.imageIndex });
    expect(index.manifests.map(({ annotations }) => annotations.note).toSorted()).toEqual(['0', '1', '2', '3', '4']);
    const digests = index.manifests.map(({ digest }) => digest);
    expect(digests).toEqual(digests.toSorted());
    expect(response.headers.get('oci-filters-applied')).toBeNull();
  });

  test('are filtered by type, and the answer says so, on each page', async () => {
    const response = await server.fetch(`${path}?artifactType=application%2Fvnd.example.0&n=2`);
    expect(response.headers.get('oci-filters-applied')).toBe('artifactType');
    const next = /<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
    const rest = await server.fetch(next);
    expect(rest.headers.get('oci-filters-applied')).toBe('artifactType');
    const all = [response, rest].map(async (page) => ((await page.json()) as Index).manifests);
    const found = (await Promise.all(all)).flat();
    expect(found.map(({ artifactType }) => artifactType)).toEqual(Array(3).fill('application/vnd.example.0'));
  });

  test('come in pages that a client can read, however long their annotations are', async () => {
    const store = createMemoryRegistry();
    const long = '€'.repeat(1024 * 1024);
    for (const i of [1, 2, 3]) await pushReferrer(store, 'application/vnd.example.long', `${i}${long}`);
    const other = await startServer(store);
    const found = (await pages(path, other)) as Index[];
    expect(found.map(({ manifests }) => manifests.length)).toEqual([1, 1, 1]);
    const notes = found.map(({ manifests }) => manifests[0]?.annotations.note[0]);
    expect(new Set(notes)).toEqual(new Set(['1', '2', '3']));
  });

  test.each([`/v2/a/referrers/sha256:${'0'.repeat(64)}`, `/v2/none/referrers/${subject.digest}`])(
    'of %s are none, and never 404',
    async (unknown) => {
      const response = await server.fetch(unknown);
      expect(response.status).toBe(200);
      expect(((await response.json()) as Index).manifests).toEqual([]);
    },
  );

  test.each([
    ['/v2/a/referrers/sha256:abc', 'DIGEST_INVALID'],
    ['/v2/a/referrers/latest', 'DIGEST_INVALID'],
    [`${path}?artifactType=x`, 'BAD_REQUEST'],
    [`${path}?artifactType=a/*`, 'BAD_REQUEST'],
    [`${path}?artifactType=a/${'b'.repeat(300)}`, 'BAD_REQUEST'],
    [`${path}?last=x`, 'DIGEST_INVALID'],
    [`${path}?n=x`, 'PAGINATION_NUMBER_INVALID'],
  ])('of %s are answered 400 %s', async (url, code) => {
    const response = await server.fetch(url);
    expect([response.status, await server.codeOf(response)]).toEqual([400, code]);
  });

  test('can be switched off: 404, and no OCI-Subject', async () => {
    const other = await startServer(createMemoryRegistry(), { disableReferrersApi: true });
    expect((await other.fetch(path)).status).toBe(404);
    const pushed = await other.fetch('/v2/a/manifests/x', {
      method: 'PUT',
      headers: { 'content-type': mediaTypes.imageIndex },
      body: JSON.stringify({ schemaVersion: 2, subject, manifests: [] }),
    });
    expect([pushed.status, pushed.headers.get('oci-subject')]).toEqual([201, null]);
  });
});

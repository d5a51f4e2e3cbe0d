import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allPages } from '../../../../test/all-pages.ts';
import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { mediaTypes } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { pushImage } from '../../../testing/index.ts';

const tags = ['B', 'a', '1.0', '1.0-rc', '_x', 'z', '1.0.1'].toSorted();

let server: TestServer;
const registry = createMemoryRegistry();

beforeAll(async () => {
  server = await startSharedServer(registry);
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
  await registry.pushManifest('a', bytes, mediaTypes.imageIndex, { tags });
});
afterAll(() => server.close());

describe('a list of tags', () => {
  test('has all tags in byte order', async () => {
    expect(await allPages(server, '/v2/a/tags/list')).toEqual([{ name: 'a', tags }]);
  });

  test('comes in pages, each with a link to the next one', async () => {
    expect(await allPages(server, '/v2/a/tags/list?n=3')).toEqual([
      { name: 'a', tags: tags.slice(0, 3) },
      { name: 'a', tags: tags.slice(3, 6) },
      { name: 'a', tags: tags.slice(6) },
    ]);
  });

  test('has no link on the last page, even if that page is full', async () => {
    const response = await server.fetch(`/v2/a/tags/list?n=${tags.length}`);
    expect(response.headers.get('link')).toBeNull();
  });

  test('starts after the tag in `last`, which need not exist', async () => {
    expect(await allPages(server, '/v2/a/tags/list?last=1.0')).toEqual([
      { name: 'a', tags: tags.filter((tag) => tag > '1.0') },
    ]);
    expect(await allPages(server, '/v2/a/tags/list?last=q&n=9')).toEqual([{ name: 'a', tags: ['z'] }]);
    expect(await allPages(server, '/v2/a/tags/list?last=zz')).toEqual([{ name: 'a', tags: [] }]);
  });

  test.each(['last=', 'n=', 'n=&last=', 'last', '&'])('with %j is the whole list', async (query) => {
    expect(await allPages(server, `/v2/a/tags/list?${query}`)).toEqual([{ name: 'a', tags }]);
  });

  test('with an empty last comes in pages too', async () => {
    const pages = await allPages(server, '/v2/a/tags/list?last=&n=3');
    expect(pages[0]).toEqual({ name: 'a', tags: tags.slice(0, 3) });
    expect(pages).toHaveLength(3);
  });

  test('is whole with ignorePagination, whatever the request asks for', async () => {
    const store = createMemoryRegistry();
    await pushImage(store, 'a', { tags: ['v1', 'v2', 'v3'] });
    const other = await startServer(store, { ignorePagination: true, limits: { pageSize: 2 } });
    for (const query of ['', '?n=1', '?n=x', '?last=v1', '?n=1&last=v2']) {
      const response = await other.fetch(`/v2/a/tags/list${query}`);
      expect(response.headers.get('link')).toBeNull();
      expect(await response.json()).toEqual({ name: 'a', tags: ['v1', 'v2', 'v3'] });
    }
  });

  test('with n=0 is empty and has no link', async () => {
    const response = await server.fetch('/v2/a/tags/list?n=0');
    expect(await response.json()).toEqual({ name: 'a', tags: [] });
    expect(response.headers.get('link')).toBeNull();
  });

  test.each(['-1', 'x', '1.5', '1e3', ' 1', '%'])('with n=%j is answered 400 PAGINATION_NUMBER_INVALID', async (n) => {
    const response = await server.fetch(`/v2/a/tags/list?n=${encodeURIComponent(n)}`);
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
  });

  test('with an enormous n has all tags', async () => {
    expect(await allPages(server, `/v2/a/tags/list?n=${'9'.repeat(40)}`)).toEqual([{ name: 'a', tags }]);
  });

  test.each(['+', 'a/b', '%00', 'x'.repeat(129)])('with last=%s is answered 400', async (last) => {
    const response = await server.fetch(`/v2/a/tags/list?last=${last}`);
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  test.each(['/v2/none/tags/list', '/v2/none/tags/list?n=0'])(
    'of an unknown repository, %s, is answered 404',
    async (path) => {
      const response = await server.fetch(path);
      expect([response.status, await server.codeOf(response)]).toEqual([404, 'NAME_UNKNOWN']);
    },
  );

  test('comes in pages of limits.pageSize if the client asks for no number, or for more', async () => {
    const other = await startServer(registry, { limits: { pageSize: 4 } });
    for (const path of ['/v2/a/tags/list', '/v2/a/tags/list?n=100']) {
      expect(await allPages(other, path)).toEqual([
        { name: 'a', tags: tags.slice(0, 4) },
        { name: 'a', tags: tags.slice(4) },
      ]);
    }
  });

  test('with n above maxListPageSize is answered 400, and without n has pages of that size', async () => {
    const other = await startServer(registry, { maxListPageSize: 5 });
    const response = await other.fetch('/v2/a/tags/list?n=6');
    expect([response.status, await other.codeOf(response)]).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
    expect(await allPages(other, '/v2/a/tags/list')).toHaveLength(2);
  });

  test('has no link with omitLinkHeaderFromResponses', async () => {
    const other = await startServer(registry, { omitLinkHeaderFromResponses: true });
    expect((await other.fetch('/v2/a/tags/list?n=2')).headers.get('link')).toBeNull();
  });

  test('is answered to HEAD as to GET, without the body', async () => {
    const response = await server.fetch('/v2/a/tags/list', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
  });
});

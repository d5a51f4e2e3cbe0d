import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allPages } from '../../../../test/all-pages.ts';
import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { mediaTypes } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

let server: TestServer;

beforeAll(async () => {
  const registry = createMemoryRegistry();
  server = await startSharedServer(registry);
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
  for (const repository of ['c/d', 'a', 'b']) await registry.pushManifest(repository, bytes, mediaTypes.imageIndex);
});
afterAll(() => server.close());

describe('the catalog', () => {
  test('lists repositories in pages', async () => {
    expect(await allPages(server, '/v2/_catalog')).toEqual([{ repositories: ['a', 'b', 'c/d'] }]);
    expect(await allPages(server, '/v2/_catalog?n=2')).toEqual([
      { repositories: ['a', 'b'] },
      { repositories: ['c/d'] },
    ]);
    expect(await allPages(server, '/v2/_catalog?n=0')).toEqual([{ repositories: [] }]);
  });

  test('of an empty registry is an empty list, not null', async () => {
    const other = await startServer(createMemoryRegistry());
    expect(await (await other.fetch('/v2/_catalog')).text()).toBe('{"repositories":[]}');
  });

  test('with a malformed `last` is answered 400', async () => {
    const response = await server.fetch('/v2/_catalog?last=A');
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'NAME_INVALID']);
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allPages } from '../../../../test/all-pages.ts';
import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { createClient } from '../../client/index.ts';
import { collect, digestOf, mediaTypes } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

const subject = { mediaType: mediaTypes.imageManifest, digest: digestOf(new Uint8Array([1])), size: 1 };

async function pushReferrer(registry: Registry, artifactType: string, note: string): Promise<void> {
  const index = { schemaVersion: 2, artifactType, subject, manifests: [], annotations: { note } };
  await registry.pushManifest('a', new TextEncoder().encode(JSON.stringify(index)), mediaTypes.imageIndex);
}

let server: TestServer;

beforeAll(async () => {
  const registry = createMemoryRegistry();
  server = await startSharedServer(registry);
  for (let i = 0; i < 5; i++) await pushReferrer(registry, `application/vnd.example.${i % 2}`, `${i}`);
});
afterAll(() => server.close());

describe('the referrers of a manifest', () => {
  const path = `/v2/a/referrers/${subject.digest}`;
  interface Index {
    schemaVersion: number;
    mediaType: string;
    manifests: { digest: string; artifactType: string; annotations: { note: string } }[];
  }

  test('are an index of all referrers, in the order of their digests', async () => {
    const response = await server.fetch(path);
    expect(response.headers.get('content-type')).toBe(mediaTypes.imageIndex);
    const index = (await response.json()) as Index;
    expect(index).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.imageIndex });
    expect(index.manifests.map(({ annotations }) => annotations.note).toSorted()).toEqual(['0', '1', '2', '3', '4']);
    const digests = index.manifests.map(({ digest }) => digest);
    expect(digests).toEqual(digests.toSorted());
    expect(response.headers.get('oci-filters-applied')).toBeNull();
  });

  test('are filtered by artifact type, and each page says so', async () => {
    const response = await server.fetch(`${path}?artifactType=application%2Fvnd.example.0&n=2`);
    expect(response.headers.get('oci-filters-applied')).toBe('artifactType');
    const next = /<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
    const rest = await server.fetch(next);
    expect(rest.headers.get('oci-filters-applied')).toBe('artifactType');
    const all = [response, rest].map(async (page) => ((await page.json()) as Index).manifests);
    const found = (await Promise.all(all)).flat();
    expect(found.map(({ artifactType }) => artifactType)).toEqual(Array(3).fill('application/vnd.example.0'));
  });

  test.each(['foo', 'a/*', 'text/plain; charset=utf-8', 'x'])(
    'of the type %s are an empty list if there are none, and listed if there are',
    async (type) => {
      const store = createMemoryRegistry();
      const other = await startServer(store);
      const query = `${path}?artifactType=${encodeURIComponent(type)}`;
      const none = await other.fetch(query);
      expect([none.status, none.headers.get('oci-filters-applied')]).toEqual([200, 'artifactType']);
      expect(((await none.json()) as Index).manifests).toEqual([]);
      await pushReferrer(store, type, 'first');
      await pushReferrer(store, 'application/vnd.example', 'other');
      const found = ((await (await other.fetch(query)).json()) as Index).manifests;
      expect(found.map(({ artifactType }) => artifactType)).toEqual([type]);
    },
  );

  test('are all sent, whatever their type, by a server that does not filter', async () => {
    const store = createMemoryRegistry();
    for (const type of ['application/vnd.example.a', 'application/vnd.example.b'])
      await pushReferrer(store, type, type);
    const other = await startServer(store, { disableReferrersFiltering: true });
    const response = await other.fetch(`${path}?artifactType=application/vnd.example.a`);
    expect(response.headers.get('oci-filters-applied')).toBeNull();
    expect(((await response.json()) as Index).manifests).toHaveLength(2);
    const client = createClient({ host: `127.0.0.1:${other.port}` });
    const filtered = await collect(
      client.referrers('a', subject.digest, { artifactType: 'application/vnd.example.a' }),
    );
    expect(filtered).toHaveLength(1);
  });

  test('with empty parameters are those without them', async () => {
    const response = await server.fetch(`${path}?artifactType=&n=&last=`);
    expect(((await response.json()) as Index).manifests).toHaveLength(5);
    expect(response.headers.get('oci-filters-applied')).toBeNull();
  });

  test('come in pages of a size that clients read, even with long annotations', async () => {
    const store = createMemoryRegistry();
    const long = '€'.repeat(1024 * 1024);
    for (const i of [1, 2, 3]) await pushReferrer(store, 'application/vnd.example.long', `${i}${long}`);
    const other = await startServer(store);
    const found = (await allPages(other, path)) as Index[];
    expect(found.map(({ manifests }) => manifests.length)).toEqual([1, 1, 1]);
    const notes = found.map(({ manifests }) => manifests[0]?.annotations.note[0]);
    expect(new Set(notes)).toEqual(new Set(['1', '2', '3']));
  });

  test.each([`/v2/a/referrers/sha256:${'0'.repeat(64)}`, `/v2/none/referrers/${subject.digest}`])(
    'that is unknown, %s, are an empty index, not 404',
    async (unknown) => {
      const response = await server.fetch(unknown);
      expect(response.status).toBe(200);
      expect(((await response.json()) as Index).manifests).toEqual([]);
    },
  );

  test.each([
    ['/v2/a/referrers/sha256:abc', 'DIGEST_INVALID'],
    ['/v2/a/referrers/latest', 'DIGEST_INVALID'],
    [`${path}?artifactType=a/${'b'.repeat(300)}`, 'BAD_REQUEST'],
    [`${path}?last=x`, 'DIGEST_INVALID'],
    [`${path}?n=x`, 'PAGINATION_NUMBER_INVALID'],
  ])('asked for by %s are answered 400 %s', async (url, code) => {
    const response = await server.fetch(url);
    expect([response.status, await server.codeOf(response)]).toEqual([400, code]);
  });

  test('are answered 404, and a push gets no OCI-Subject, with disableReferrersApi', async () => {
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

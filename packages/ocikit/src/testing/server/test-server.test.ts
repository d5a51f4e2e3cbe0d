import { request } from 'node:https';

import { describe, expect, test } from 'vitest';

import { createImage, pull, walk } from '../../image/index.ts';
import { nodeFetch } from '../../node/index.ts';
import { startTestServer } from '../../../test/start-test-server.ts';

import { createTestServer, imageOf, indexOf, refuseRequests, testCertificate } from '../node.ts';
import { testClient } from '../test-client/index.ts';

test('addRef stores an index with everything that it names', async () => {
  const server = await startTestServer();
  const index = indexOf([imageOf(), imageOf()]);
  const pushed = await server.addRef('library/example', 'v1', index);
  expect(pushed).toMatchObject({ descriptor: index.descriptor, tags: ['v1'] });
  const registry = testClient(server.url);
  expect((await registry.getTag('library/example', 'v1')).bytes).toEqual(index.bytes);
  for (const image of index.manifests) {
    expect((await registry.getManifest('library/example', image.descriptor.digest)).bytes).toEqual(image.bytes);
    for (const { descriptor, bytes } of image.blobs) {
      expect(await (await registry.getBlob('library/example', descriptor.digest)).bytes()).toEqual(bytes);
    }
  }
});

test('addRef copies an image from another registry with everything that it reaches', async () => {
  const [from, to] = [await startTestServer(), await startTestServer()];
  const index = indexOf([imageOf(), indexOf([imageOf()])]);
  await from.addRef('library/example', 'v1', index);
  const ref = await pull(testClient(from.url), 'library/example', { tag: 'v1' });
  for (let times = 0; times < 2; times++) {
    expect(await to.addRef('copy', 'v2', ref)).toMatchObject({ descriptor: index.descriptor, tags: ['v2'] });
  }
  for await (const each of walk(await pull(testClient(to.url), 'copy', { tag: 'v2' }))) {
    if (each.kind === 'index') continue;
    for (const blob of [each.config, ...each.layers]) await each.readVerified(blob);
  }
  const made = createImage({ artifactType: 'application/vnd.example' });
  expect((await to.addRef('made', undefined, made)).tags).toEqual([]);
  expect((await to.registry.resolveManifest('made', made.descriptor.digest)).size).toBe(made.bytes.length);
  await expect(to.addRef('A', 'v1', made)).rejects.toMatchObject({ code: 'NAME_INVALID' });
  await expect(to.addRef('a', '-v1', made)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
});

test('addRef without a tag stores an image under its digest alone, and a second time changes nothing', async () => {
  const server = await startTestServer();
  const image = imageOf();
  for (let times = 0; times < 2; times++) {
    expect((await server.addRef('a', undefined, image)).tags).toEqual([]);
    expect((await server.addRef('a', 'v1', image)).descriptor).toEqual(image.descriptor);
  }
  expect((await server.registry.resolveTag('a', 'v1')).digest).toBe(image.descriptor.digest);
  const other = imageOf();
  await server.addRef('b', undefined, other);
  await expect(server.registry.resolveTag('b', 'latest')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  await server.registry.resolveManifest('b', other.descriptor.digest);
});

test.each([
  ['A', 'v1', 'NAME_INVALID'],
  ['a', '-v1', 'MANIFEST_INVALID'],
])('addRef refuses %s:%s', async (repository, tag, code) => {
  await expect((await startTestServer()).addRef(repository, tag, imageOf())).rejects.toMatchObject({ code });
});

test('a test server lists its requests, with the status of the answers', async () => {
  const server = await startTestServer();
  await (await server.fetch(`${server.url}/v2/a/tags/list?n=1`, { headers: { 'X-Test': 'yes' } })).text();
  expect(server.requests).toMatchObject([{ method: 'GET', path: '/v2/a/tags/list', query: 'n=1', status: 404 }]);
  expect(server.requests[0]?.header('x-test')).toBe('yes');
});

test('a fault begins when it is injected, and ends when it is removed', async () => {
  const server = await startTestServer({ faults: [refuseRequests({ methods: ['HEAD'] })] });
  const statuses = async (): Promise<number[]> => {
    const all = ['GET', 'HEAD'].map((method) => server.fetch(`${server.url}/v2/`, { method }));
    return (await Promise.all(all)).map(({ status }) => status);
  };
  expect(await statuses()).toEqual([200, 503]);
  const end = server.inject(refuseRequests({ as: 418 }));
  expect(await statuses()).toEqual([418, 503]);
  end();
  end();
  expect(await statuses()).toEqual([200, 503]);
});

test('closing a test server ends running requests', async () => {
  const server = await createTestServer();
  const image = imageOf();
  await server.addRef('a', 'v1', image);
  server.inject(
    (exchange) =>
      new Promise((_resolve, reject) => {
        exchange.signal.addEventListener('abort', () => reject(new Error('left')));
      }),
  );
  const hanging = fetch(`${server.url}/v2/`);
  // Waits until the request has arrived.
  while (server.requests.length === 0) await new Promise(setImmediate);
  const failed = expect(hanging).rejects.toThrow('fetch failed');
  await server.close();
  await failed;
});

describe('a test server with domains', () => {
  test('has a certificate that only its own fetch trusts, and gets the requests for all hosts', async () => {
    const server = await startTestServer({ domains: ['registry.example.com', 'auth.example.com'] });
    expect(server).toMatchObject({ url: 'https://registry.example.com', host: 'registry.example.com' });
    await server.addRef('a', 'v1', imageOf());
    expect(await (await server.fetch('https://registry.example.com/v2/a/tags/list', {})).json()).toMatchObject({
      tags: ['v1'],
    });
    expect((await server.fetch('https://auth.example.com:8443/v2/', {})).status).toBe(200);
    expect(server.requests.map((seen) => seen.header('host'))).toEqual([
      'registry.example.com',
      'auth.example.com:8443',
    ]);
    expect((await server.fetch('https://registry.example.com/v2/')).status).toBe(200);
    expect((await server.fetch(new Request('https://registry.example.com/v2/'))).status).toBe(200);
    const resolve = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });
    using stranger = nodeFetch({ proxy: false, resolve });
    await expect(stranger('https://registry.example.com/v2/', {})).rejects.toMatchObject({
      cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
    using friend = nodeFetch({ proxy: false, resolve, ca: [server.ca ?? ''] });
    expect((await friend('https://registry.example.com/v2/', {})).status).toBe(200);
  });

  test('answers to their names and to those of this machine, and to no other', async () => {
    const server = await startTestServer({ domains: ['registry.example.com'] });
    const statusFor = async (host: string): Promise<number> =>
      (await server.fetch('https://registry.example.com/v2/', { headers: { host } })).status;
    expect(await Promise.all(['registry.example.com:443', 'localhost', 'example.com'].map(statusFor))).toEqual([
      200, 200, 421,
    ]);
  });

  test('does not serve a host other than its domains', async () => {
    const server = await startTestServer({ domains: ['registry.example.com'] });
    await expect(server.fetch('https://example.com/v2/', {})).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
    expect(server.requests).toEqual([]);
  });

  test('serves many large bodies in both directions', async () => {
    const server = await startTestServer({ domains: ['registry.example.com'] });
    const registry = testClient(server.url, { fetch: server.fetch });
    const images = Array.from({ length: 4 }, () => imageOf());
    await Promise.all(
      images.map(async ({ blobs }) => {
        for (const { descriptor, bytes } of blobs) {
          await registry.pushBlob('a', descriptor, bytes);
          expect(await (await registry.getBlob('a', descriptor.digest)).bytes()).toEqual(bytes);
        }
      }),
    );
  });

  test('can be trusted by its certificate, at an address too', async () => {
    const server = await startTestServer({ domains: ['registry.example.com', '127.0.0.1'] });
    const status = await new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: server.port, path: '/v2/', ca: server.ca }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end();
    });
    expect(status).toBe(200);
  });

  test('has a certificate of its own', async () => {
    const [one, other] = await Promise.all([testCertificate(['a.test']), testCertificate(['a.test'])]);
    expect(one.cert).not.toBe(other.cert);
  });
});

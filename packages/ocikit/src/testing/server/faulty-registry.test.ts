import { describe, expect, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import type { ClientOptions } from '../../http/client/index.ts';
import type { Registry } from '../../model/index.ts';
import { startTestServer } from '../../../test/start-test-server.ts';

import {
  corruptAnswers,
  cutAnswers,
  cutRequests,
  demandTokens,
  imageOf,
  randomBlob,
  redirectRequests,
  refuseRequests,
  resizeAnswers,
} from '../node.ts';
import type { TestServer } from '../node.ts';

const clientOf = (server: TestServer, options: Partial<ClientOptions> = {}): Registry =>
  createClient({
    host: server.host,
    fetch: server.fetch,
    scheme: server.ca === undefined ? 'http' : 'https',
    backOff: { first: 1, longest: 10 },
    ...options,
  });

const image = imageOf({ layers: [randomBlob(300_000)] });

/** Reads an image with all its blobs. They are verified as they are read. */
async function pull(registry: Registry, tag = 'v1'): Promise<void> {
  const { bytes } = await registry.getTag('a', tag);
  expect(Buffer.compare(bytes, image.bytes)).toBe(0);
  for (const { descriptor } of image.blobs) {
    const content = await registry.getBlob('a', descriptor.digest);
    expect(await content.bytes()).toHaveLength(descriptor.size);
  }
}

async function push(registry: Registry): Promise<void> {
  for (const { descriptor, bytes } of image.blobs) await registry.pushBlob('a', descriptor, bytes);
  await registry.pushManifest('a', image.bytes, image.mediaType, { tags: ['v1'] });
}

test('a client pulls from a registry that refuses, redirects, demands a token and cuts each blob', async () => {
  const domains = ['registry.example.com'];
  const realm = 'https://registry.example.com/token';
  const server = await startTestServer({
    domains,
    faults: [
      refuseRequests({ times: 1 }),
      redirectRequests(),
      demandTokens({ realm, users: { alice: 'secret' } }),
      cutAnswers({ resources: ['blob'], methods: ['GET'], times: 1 }),
    ],
  });
  await server.addRef('a', 'v1', image);
  await pull(clientOf(server, { credentials: () => ({ username: 'alice', password: 'secret' }) }));
  // Each blob was resumed in its middle.
  expect(server.requests.filter((seen) => seen.header('range') !== undefined && seen.status === 206)).toHaveLength(2);
});

test('a client pushes to a registry that refuses each path first and cuts each upload', async () => {
  const server = await startTestServer({
    faults: [refuseRequests({ times: 1 }), cutRequests({ methods: ['PATCH', 'PUT'], resources: ['upload'], times: 1 })],
  });
  await push(clientOf(server));
  await pull(server.registry);
});

describe('wrong content is an error after one request', () => {
  test.each([
    ['another byte', corruptAnswers({ resources: ['blob'], methods: ['GET'] })],
    ['a byte too few', resizeAnswers({ by: -1, resources: ['blob'], methods: ['GET'] })],
    ['a byte too many', resizeAnswers({ by: 1, resources: ['blob'], methods: ['GET'] })],
  ])('for a blob with %s', async (_what, fault) => {
    const server = await startTestServer({ faults: [fault] });
    await server.addRef('a', 'v1', image);
    const [, layer] = image.blobs;
    const digest = layer?.descriptor.digest ?? image.descriptor.digest;
    const read = async (): Promise<Uint8Array> => (await clientOf(server).getBlob('a', digest)).bytes();
    await expect(read()).rejects.toThrow(/digest|size|bytes|more|early/i);
    expect(server.requests.filter(({ method }) => method === 'GET')).toHaveLength(1);
  });

  test('for a manifest with another byte', async () => {
    const server = await startTestServer({ faults: [corruptAnswers({ resources: ['manifest'] })] });
    await server.addRef('a', 'v1', image);
    for (const read of [
      () => clientOf(server).getTag('a', 'v1'),
      () => clientOf(server).getManifest('a', image.descriptor.digest),
    ]) {
      const before = server.requests.length;
      await expect(read()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
      expect(server.requests).toHaveLength(before + 1);
    }
  });
});

test('a client gives up on a registry that always cuts the connection', async () => {
  const server = await startTestServer({
    faults: [cutAnswers({ resources: ['manifest'], methods: ['GET'], after: 0 })],
  });
  await server.addRef('a', 'v1', image);
  await expect(clientOf(server, { backOff: { attempts: 3, first: 1 } }).getTag('a', 'v1')).rejects.toThrow();
  expect(server.requests).toHaveLength(3);
});

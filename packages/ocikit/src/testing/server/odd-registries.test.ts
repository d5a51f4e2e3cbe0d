import { expect, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import type { Middleware } from '../../http/server/index.ts';
import { collect, digestOf } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { startTestServer } from '../../../test/start-test-server.ts';
import {
  linking,
  losingUploads,
  namingStored,
  refusingOpenRanges,
  shiftingRanges,
  wantingChunks,
  withHtmlErrors,
  withoutMounts,
  withPartsOfNothing,
} from '../../../test/quirks.ts';

import { imageOf, randomBlob, refuseRequests } from '../node.ts';
import type { TestServer } from '../node.ts';

const layer = randomBlob(10_000);
const image = imageOf({ layers: [layer] });

async function start(...faults: Middleware[]): Promise<{ server: TestServer; client: Registry }> {
  const server = await startTestServer({ faults });
  await server.addRef('a', 'v1', image);
  return { server, client: createClient({ host: server.host, fetch: server.fetch, backOff: { first: 1 } }) };
}

test('a part of a blob at another position than requested is an error after one request', async () => {
  const { server, client } = await start(shiftingRanges(1));
  const read = async (): Promise<Uint8Array> =>
    (await client.getBlob('a', layer.descriptor.digest, { range: { start: 10, end: 20 } })).bytes();
  await expect(read()).rejects.toMatchObject({ code: 'UNKNOWN' });
  expect(server.requests).toHaveLength(1);
});

test.each(['http://elsewhere.test/v2/a/tags/list', '//elsewhere.test/', 'https://127.0.0.1/v2/a/tags/list'])(
  'a list whose next page is at %s is not followed',
  async (target) => {
    const { server, client } = await start(linking(target));
    await expect(collect(client.tags('a'))).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
  },
);

test('a list whose next page is itself ends', async () => {
  const { server, client } = await start(linking('/v2/a/tags/list'));
  const listed = await collect(client.tags('a')).catch(() => 'refused');
  expect([['v1'], 'refused']).toContainEqual(listed);
  expect(server.requests.length).toBeLessThan(5);
});

test('an error with an HTML page has the code of its status, and keeps the page', async () => {
  const { client } = await start(withHtmlErrors);
  await expect(client.getTag('a', 'v2')).rejects.toMatchObject({
    status: 404,
    body: expect.stringContaining('nothing to see here') as unknown,
  });
});

test('a blob is sent in chunks of the minimum size that the registry demands', async () => {
  const { server } = await start(wantingChunks(4096));
  const blob = randomBlob(10_000);
  const small = createClient({ host: server.host, fetch: server.fetch, chunkSize: 1000 });
  const upload = await small.startUpload('b');
  expect(upload.minimumChunk).toBe(4096);
  await upload.append(blob.bytes.subarray(0, 9000));
  await upload.commit(blob.descriptor.digest, { source: blob.bytes.subarray(9000) });
  const statuses = server.requests.filter(({ method }) => method === 'PATCH').map(({ status }) => status);
  expect(statuses.length).toBeGreaterThan(0);
  expect(statuses.every((status) => status === 202)).toBe(true);
  expect(await (await server.registry.getBlob('b', blob.descriptor.digest)).bytes()).toHaveLength(10_000);
});

test('a mount that is answered with an upload continues as an upload', async () => {
  const { server, client } = await start(withoutMounts);
  const mounted = await client.mountBlob('a', 'b', layer.descriptor.digest);
  await mounted.upload?.commit(layer.descriptor.digest, { source: layer.bytes });
  expect((await server.registry.resolveBlob('b', layer.descriptor.digest)).size).toBe(10_000);
});

test.each([{ start: 500 }, { last: 500 }, { start: 9_000, end: 20_000 }])(
  'the part %j of a blob can be read from a registry that accepts only ranges with both ends',
  async (range) => {
    const { server, client } = await start(refusingOpenRanges(10_000));
    const part = await (await client.getBlob('a', layer.descriptor.digest, { range })).bytes();
    const [from, to] = 'last' in range ? [9_500, 10_000] : [range.start, 10_000];
    expect(part).toEqual(layer.bytes.subarray(from, to));
    expect(server.requests.at(-1)?.status).toBe(206);
  },
);

test('an existing range that is refused in every form is an error', async () => {
  const { server, client } = await start(refuseRequests({ methods: ['GET'], resources: ['blob'], as: 416 }));
  const read = client.getBlob('a', layer.descriptor.digest, { range: { start: 500 } });
  await expect(read).rejects.toMatchObject({ code: 'UNKNOWN' });
  expect(server.requests.length).toBeLessThan(6);
});

test('the last bytes of the empty blob are none, even if the registry answers with a malformed range', async () => {
  const { server, client } = await start(withPartsOfNothing);
  const { digest } = await client.pushBlob('a', { digest: digestOf(new Uint8Array()), size: 0 }, new Uint8Array());
  const content = await client.getBlob('a', digest, { range: { last: 5 } });
  expect(await content.bytes()).toHaveLength(0);
  expect(server.requests.map(({ status }) => status)).toContain(206);
});

test('a blob is pushed by its digest, even if the registry answers with a digest of another algorithm', async () => {
  const blob = randomBlob(100);
  const { server, client } = await start(namingStored(blob.descriptor.digest));
  const digest = digestOf(blob.bytes, 'sha512');
  expect((await client.pushBlob('b', { digest }, blob.bytes)).digest).toBe(digest);
  expect((await server.registry.resolveBlob('b', digest)).size).toBe(100);
});

test.each(['DIGEST_INVALID', 'NAME_INVALID'] as const)(
  'deleting a tag is unsupported if the registry answers %s',
  async (code) => {
    const { client } = await start(refuseRequests({ methods: ['DELETE'], as: code }));
    const deleting = client.deleteTag('a', 'v1');
    await expect(deleting).rejects.toMatchObject({ code: 'UNSUPPORTED', status: 400 });
    await expect(deleting).rejects.toThrow(code);
  },
);

test('an upload that the registry does not know can be cancelled', async () => {
  const { client } = await start(refuseRequests({ methods: ['GET', 'DELETE'], resources: ['upload'], as: 400 }));
  const upload = await client.startUpload('b');
  await upload.append(layer.bytes);
  await upload.cancel();
});

test.each([
  ['discards uploads that were cut', losingUploads()],
  ['does not tell the size of an upload', refuseRequests({ methods: ['GET'], resources: ['upload'], as: 400 })],
])('a large blob that is cut is sent again from its start if the registry %s', async (_what, quirk) => {
  let patches = 0;
  const cut = refuseRequests({ methods: ['PATCH'], as: 502, when: () => patches++ === 0 });
  const { server, client } = await start(quirk, cut);
  const blob = randomBlob(5_000_000);
  const digest = blob.descriptor.digest;
  await client.pushBlob('b', { digest, size: 5_000_000 }, blob.bytes);
  expect((await server.registry.resolveBlob('b', digest)).size).toBe(5_000_000);
  expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(2);
});

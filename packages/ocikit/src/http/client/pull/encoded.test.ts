import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { listen } from '../../../../test/listen.ts';
import { failureOf } from '../../../../test/transport-to.ts';
import type { Registry } from '../../../model/index.ts';
import { digestOf } from '../../../model/index.ts';
import { nodeFetch } from '../../../node/index.ts';
import { imageOf, randomBlob } from '../../../testing/index.ts';

import { createClient } from '../index.ts';

const encodings: readonly [string, (bytes: Uint8Array) => Uint8Array][] = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZip', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['gzip, br', (bytes) => brotliCompressSync(gzipSync(bytes))],
];

interface Gateway {
  client: Registry;
  asked: string[];
}

/** A gateway that encodes each answer, though the client has asked for identity. */
async function gatewayTo(bytes: Uint8Array, encoding: string, headers: Record<string, string> = {}): Promise<Gateway> {
  const asked: string[] = [];
  const host = await listen(({ method = '', headers: { range } }, response) => {
    asked.push([method, ...(range === undefined ? [] : [range])].join(' '));
    response.writeHead(200, { ...headers, 'content-encoding': encoding, 'content-length': bytes.length });
    response.end(method === 'HEAD' ? undefined : bytes);
  });
  return { client: createClient({ host, fetch: nodeFetch(), backOff: { first: 1 } }), asked };
}

const image = imageOf();
const type = { 'content-type': image.mediaType };

describe.each(encodings)('an answer that a gateway has encoded as %s', (encoding, encode) => {
  test('gives a manifest as it was pushed, by tag and by digest', async () => {
    const { client } = await gatewayTo(encode(image.bytes), encoding, type);
    const { digest } = image.descriptor;
    expect((await client.getTag('a', 'v1')).descriptor).toEqual(image.descriptor);
    expect(Buffer.compare((await client.getManifest('a', digest)).bytes, image.bytes)).toBe(0);
    expect(await client.resolveTag('a', 'v1')).toEqual(image.descriptor);
  });

  test.each([1, 100_000])('gives a blob of %i bytes as it was pushed', async (size) => {
    const { descriptor, bytes } = randomBlob(size);
    const { client, asked } = await gatewayTo(encode(bytes), encoding);
    const content = await client.getBlob('a', descriptor.digest);
    expect(content.descriptor.size).toBe(size);
    expect(Buffer.compare(await content.bytes(), bytes)).toBe(0);
    expect(asked).toEqual(['GET']);
  });

  test('gives a part of a blob', async () => {
    const { descriptor, bytes } = randomBlob(1000);
    const { client } = await gatewayTo(encode(bytes), encoding);
    const content = await client.getBlob('a', descriptor.digest, { range: { start: 100, end: 200 } });
    expect(Buffer.compare(await content.bytes(), bytes.subarray(100, 200))).toBe(0);
  });

  test('gives a blob whose own bytes are encoded as it was pushed', async () => {
    const blob = encode(randomBlob(5000).bytes);
    const { client } = await gatewayTo(blob, encoding);
    const content = await client.getBlob('a', digestOf(blob));
    expect(Buffer.compare(await content.bytes(), blob)).toBe(0);
  });

  test('refuses a blob that is neither', async () => {
    const { client } = await gatewayTo(encode(randomBlob(5000).bytes), encoding);
    const { digest } = randomBlob(10).descriptor;
    const read = client.getBlob('a', digest).then((content) => content.bytes());
    expect(await failureOf(read)).toMatchObject({ code: 'DIGEST_INVALID' });
  });
});

describe.each([{}, { size: true }])('a large blob in an encoded answer (%j)', (known) => {
  const bytes = new Uint8Array(12 * 1024 * 1024);
  for (let i = 0; i < bytes.length; i += 65_536) crypto.getRandomValues(bytes.subarray(i, i + 65_536));

  test('is decoded', async () => {
    const { client } = await gatewayTo(gzipSync(bytes, { level: 1 }), 'gzip');
    const options = 'size' in known ? { size: bytes.length } : {};
    const content = await client.getBlob('a', digestOf(bytes), options);
    expect(Buffer.compare(await content.bytes(), bytes)).toBe(0);
  });

  test('is given as it was sent if that is the blob', async () => {
    const blob = gzipSync(bytes, { level: 1 });
    const { client } = await gatewayTo(blob, 'gzip');
    const content = await client.getBlob('a', digestOf(blob), 'size' in known ? { size: blob.length } : {});
    expect(Buffer.compare(await content.bytes(), blob)).toBe(0);
  });
});

test.each(['compress', 'zstd', 'nonsense'])(
  'an answer in the unknown encoding %j is an error, and no manifest',
  async (encoding) => {
    const { client, asked } = await gatewayTo(gzipSync(image.bytes), encoding, type);
    const error = await failureOf(client.getTag('a', 'v1'));
    expect(error).toMatchObject({ code: 'UNKNOWN', message: expect.stringContaining(encoding) as unknown });
    expect(asked).toEqual(['GET']);
  },
);

test('an answer that is not in its encoding is an error, and no manifest', async () => {
  const { client } = await gatewayTo(image.bytes, 'gzip', type);
  expect(await failureOf(client.getTag('a', 'v1'))).toMatchObject({ code: 'UNKNOWN' });
});

test('a note of S3 about an upload is no encoding', async () => {
  const { client } = await gatewayTo(image.bytes, 'aws-chunked', type);
  expect((await client.getTag('a', 'v1')).descriptor).toEqual(image.descriptor);
});

describe("a tag's answer that names no digest, through a fetch that does not decode all of it", () => {
  test.each([
    ['gzip, identity', gzipSync(image.bytes), { ...type }],
    ['', gzipSync(image.bytes), { ...type }],
    ['identity', Buffer.from('<!doctype html><title>Log in</title>'), { 'content-type': 'text/html' }],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), { ...type }],
    ['compress', Buffer.from([0x1f, 0x9d, 0]), { ...type }],
  ])('is no manifest (%j)', async (encoding, bytes, headers) => {
    const host = await listen((_request, response) => {
      response.writeHead(200, { ...headers, 'content-encoding': encoding }).end(bytes);
    });
    const client = createClient({ host, fetch, backOff: { first: 1 } });
    for (const call of [client.getTag('a', 'v1'), client.resolveTag('a', 'v1')]) {
      const error = await failureOf(call);
      expect(error).toMatchObject({ code: 'UNKNOWN' });
      expect(String(error)).toContain(`/v2/a/manifests/v1 is not JSON`);
    }
  });
});

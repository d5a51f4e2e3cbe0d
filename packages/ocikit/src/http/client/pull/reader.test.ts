import { describe, expect, test } from 'vitest';

import { listen } from '../../../../test/listen.ts';
import { failureOf } from '../../../../test/transport-to.ts';
import { digestOf, manifestMediaTypes, mediaTypes } from '../../../model/index.ts';
import type { Digest, Manifest, Registry } from '../../../model/index.ts';
import { imageOf, indexOf, randomBlob } from '../../../testing/index.ts';

import { createClient, explain } from '../index.ts';
import type { ClientOptions } from '../index.ts';
import { schema1MediaTypes } from '../manifests/index.ts';

interface Answered {
  status?: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  cutAfter?: number;
}

interface Asked {
  method: string;
  path: string;
  accept: string;
}

/** A registry that answers like this, and what it was asked. */
async function registryThat(
  answer: (asked: Asked, number: number) => Answered,
  options: Partial<ClientOptions> = {},
): Promise<{ client: Registry; asked: Asked[] }> {
  const asked: Asked[] = [];
  const host = await listen(({ method = '', url = '', headers }, response) => {
    const request = { method, path: url, accept: headers.accept ?? '' };
    asked.push(request);
    const given = answer(request, asked.length);
    response.writeHead(given.status ?? 200, given.headers);
    if (given.cutAfter === undefined) {
      response.end(method === 'HEAD' ? undefined : given.body);
      return;
    }
    response.flushHeaders();
    response.write(Buffer.from(given.body ?? '').subarray(0, given.cutAfter), () => response.destroy());
  });
  return { client: createClient({ host, backOff: { first: 1 }, ...options }), asked };
}

const { descriptor, bytes } = imageOf();
const right: Readonly<Record<string, string>> = {
  'content-type': descriptor.mediaType,
  'content-length': String(bytes.length),
  'docker-content-digest': descriptor.digest,
};
const without = (...names: string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(right).filter(([name]) => !names.includes(name)));
const other = imageOf();

/** The ways to one manifest. */
const gets: readonly [string, (client: Registry) => Promise<Manifest>][] = [
  ['getTag', (client) => client.getTag('a', 'v1')],
  ['getManifest', (client) => client.getManifest('a', descriptor.digest)],
];
const resolves = [
  ['resolveTag', (client: Registry) => client.resolveTag('a', 'v1')],
  ['resolveManifest', (client: Registry) => client.resolveManifest('a', descriptor.digest)],
] as const;

describe.each(gets)('%s', (_name, get) => {
  test.each([
    ['what the specification wants', right],
    ['no digest, as ECR', without('docker-content-digest')],
    ['no length, as it comes in chunks', without('content-length')],
    ['neither', without('content-length', 'docker-content-digest')],
    ['a media type with parameters', { ...right, 'content-type': `${descriptor.mediaType}; charset=utf-8` }],
    ['a media type in other letters', { ...right, 'content-type': descriptor.mediaType.toUpperCase() }],
    ['no media type', without('content-type')],
    ['a digest that is none', { ...right, 'docker-content-digest': 'sha256:1234' }],
    ['a digest of an unknown algorithm', { ...right, 'docker-content-digest': 'md4:00112233445566778899aabbccddeeff' }],
  ])('understands answers with %s', async (_what, headers) => {
    const { client, asked } = await registryThat(() => ({ headers, body: bytes }));
    expect(await get(client)).toEqual({ descriptor, bytes: expect.anything() as unknown });
    expect(Buffer.compare((await get(client)).bytes, bytes)).toBe(0);
    expect(asked.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('asks for everything that can be read', async () => {
    const { client, asked } = await registryThat(() => ({ headers: right, body: bytes }));
    await get(client);
    const accepted = asked[0]?.accept.split(', ') ?? [];
    expect(accepted).toEqual(
      expect.arrayContaining([...manifestMediaTypes, ...Object.values(schema1MediaTypes), '*/*']),
    );
  });

  test.each([
    ['other content', right, other.bytes],
    ['cut content that is said to be whole', { ...right, 'content-length': '10' }, bytes.subarray(0, 10)],
    ['no content', { ...right, 'content-length': '0' }, ''],
    ['another digest', { ...right, 'docker-content-digest': other.descriptor.digest }, bytes],
  ])('finds out %s, and does not ask again', async (_what, headers, body) => {
    const { client, asked } = await registryThat(() => ({ headers, body }));
    const error = await failureOf(get(client));
    expect(error).toMatchObject({ code: 'DIGEST_INVALID' });
    expect(asked).toHaveLength(1);
    expect(explain(error)?.requests).toHaveLength(1);
  });

  test('asks again for what was cut, but not for ever', async () => {
    const { client, asked } = await registryThat((_asked, number) => ({
      headers: right,
      body: bytes,
      ...(number <= 2 ? { cutAfter: 100 } : {}),
    }));
    expect((await get(client)).descriptor).toEqual(descriptor);
    expect(asked).toHaveLength(3);

    const broken = await registryThat(() => ({ headers: right, body: bytes, cutAfter: 100 }), {
      backOff: { first: 1, attempts: 3 },
    });
    await expect(get(broken.client)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(broken.asked).toHaveLength(3);
  });

  test('refuses a manifest that is too large, whether it says so or not', async () => {
    const size = 17 * 1024 * 1024;
    for (const headers of [{ ...right, 'content-length': `${size}` }, without('content-length')]) {
      const { client, asked } = await registryThat(() => ({ headers, body: new Uint8Array(size) }));
      await expect(get(client)).rejects.toMatchObject({ code: 'CONTENT_TOO_LARGE' });
      expect(asked).toHaveLength(1);
    }
  });

  test.each([404, 403, 401])('rejects with what a silent %s means', async (status) => {
    const codes: Record<number, string> = { 404: 'MANIFEST_UNKNOWN', 403: 'DENIED', 401: 'UNAUTHORIZED' };
    const { client } = await registryThat(() => ({ status, headers: { 'content-length': '0' } }));
    await expect(get(client)).rejects.toMatchObject({ code: codes[status], status });
  });
});

test('a manifest by its sha512 is verified by it, whatever digest the answer names', async () => {
  const digest = digestOf(bytes, 'sha512');
  for (const headers of [right, without('docker-content-digest'), { ...right, 'docker-content-digest': digest }]) {
    const { client } = await registryThat(() => ({ headers, body: bytes }));
    expect((await client.getManifest('a', digest)).descriptor).toEqual({ ...descriptor, digest });
    expect(await client.resolveManifest('a', digest)).toEqual({ ...descriptor, digest });
  }
  const wrong = await registryThat(() => ({ headers: without('docker-content-digest'), body: other.bytes }));
  await expect(wrong.client.getManifest('a', digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  const named = await registryThat(() => ({ headers: { ...right, 'docker-content-digest': digest }, body: bytes }));
  expect((await named.client.getTag('a', 'v1')).descriptor.digest).toBe(digest);
});

test('what an answer does not call by a media type is what it calls itself, or bytes', async () => {
  const index = indexOf([]);
  for (const [body, mediaType] of [
    [index.bytes, mediaTypes.imageIndex],
    ['{"mediaType":"text/html"}', mediaTypes.octetStream],
    ['null', mediaTypes.octetStream],
    ['no JSON', mediaTypes.octetStream],
  ] as const) {
    const { client } = await registryThat(() => ({ body }));
    expect((await client.getTag('a', 'v1')).descriptor.mediaType).toBe(mediaType);
  }
});

describe.each(resolves)('%s', (name, resolve) => {
  test('needs a HEAD only', async () => {
    const { client, asked } = await registryThat(() => ({ headers: right }));
    expect(await resolve(client)).toEqual(descriptor);
    expect(asked.map(({ method }) => method)).toEqual(['HEAD']);
  });

  test.each([
    ['does not say the length', 200, without('content-length')],
    ['does not say the media type', 200, without('content-type')],
    ['is that HEAD is not allowed', 405, {}],
    ['is that HEAD is not known', 501, {}],
  ])('reads the manifest where the answer %s', async (_what, status, headers) => {
    const { client, asked } = await registryThat(({ method }) =>
      method === 'HEAD' ? { status, headers } : { headers: right, body: bytes },
    );
    expect(await resolve(client)).toEqual(descriptor);
    expect(asked.map(({ method }) => method)).toEqual(['HEAD', 'GET']);
  });

  test('needs no more than a HEAD to see that it is silent about the digest', async () => {
    const { client, asked } = await registryThat(() => ({ headers: without('docker-content-digest'), body: bytes }));
    expect(await resolve(client)).toEqual(descriptor);
    expect(asked.map(({ method }) => method)).toEqual(name === 'resolveTag' ? ['HEAD', 'GET'] : ['HEAD']);
  });

  test('rejects with MANIFEST_UNKNOWN for a 404', async () => {
    const { client } = await registryThat(() => ({ status: 404 }));
    await expect(resolve(client)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN', status: 404 });
  });
});

test('resolving a digest finds out that the answer names another one', async () => {
  const { client } = await registryThat(() => ({ headers: right }));
  const error = await failureOf(client.resolveManifest('a', other.descriptor.digest));
  expect(error).toMatchObject({ code: 'DIGEST_INVALID' });
  expect(explain(error)?.requests).toHaveLength(1);
  const blob = randomBlob();
  const blobs = await registryThat(() => ({ headers: { ...right, 'docker-content-digest': descriptor.digest } }));
  const failure = await failureOf(blobs.client.resolveBlob('a', blob.descriptor.digest));
  expect(failure).toMatchObject({ code: 'DIGEST_INVALID' });
  expect(explain(failure)?.requests).toHaveLength(1);
});

describe('a signed manifest of version 1', () => {
  const manifest = Buffer.from('{\n   "schemaVersion": 1,\n   "name": "library/old"\n}');
  const end = manifest.lastIndexOf('\n');
  const protectedHeader = Buffer.from(
    JSON.stringify({ formatLength: end, formatTail: manifest.subarray(end).toString('base64url') }),
  ).toString('base64url');
  const signed = `${manifest.subarray(0, end).toString()},\n   "signatures": [{"protected": "${protectedHeader}"}]\n}`;
  const digest: Digest = digestOf(manifest);
  const unsigned = { mediaType: schema1MediaTypes.unsigned, digest, size: manifest.length };
  const contentType = { 'content-type': `${schema1MediaTypes.signed}; charset=utf-8` };
  const named = { ...contentType, 'docker-content-digest': digest };

  test.each([
    ['names', named],
    ['does not name', contentType],
  ])('is read without its signatures where the answer %s its digest', async (_what, headers) => {
    const { client } = await registryThat(() => ({ headers, body: signed }));
    for (const found of [await client.getTag('a', 'v1'), await client.getManifest('a', digest)]) {
      expect(found.descriptor).toEqual(unsigned);
      expect(Buffer.from(found.bytes).equals(manifest)).toBe(true);
    }
    // The length of the answer is that of the envelope.
    expect(await client.resolveTag('a', 'v1')).toEqual(unsigned);
    expect(await client.resolveManifest('a', digest)).toEqual(unsigned);
  });

  test('that is another one, or none, is found out', async () => {
    const { client } = await registryThat(() => ({ headers: contentType, body: signed }));
    await expect(client.getManifest('a', descriptor.digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    const broken = await registryThat(() => ({ headers: contentType, body: manifest }));
    await expect(broken.client.getTag('a', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    expect(broken.asked).toHaveLength(1);
  });
});

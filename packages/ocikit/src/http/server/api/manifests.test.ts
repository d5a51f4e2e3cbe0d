import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { digestOf, mediaTypes, partialRegistry } from '../../../model/index.ts';
import type { Digest, Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

const { imageIndex, imageManifest } = mediaTypes;

function indexBytes(note: string, fields: object = { mediaType: imageIndex }): string {
  return JSON.stringify({ schemaVersion: 2, ...fields, manifests: [], annotations: { note } });
}

function digestOfText(text: string, algorithm = 'sha256'): Digest {
  return digestOf(new TextEncoder().encode(text), algorithm);
}

/** JSON that can be parsed, but is nested too deep for JSON.stringify. */
function nested(field: string): string {
  return `{"${field}":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
}

const one = indexBytes('one');
const two = indexBytes('two');

let server: TestServer;
let registry: Registry;

beforeAll(async () => {
  registry = createMemoryRegistry();
  server = await startSharedServer(registry);
});
afterAll(() => server.close());

function put(reference: string, body: string, headers: Record<string, string> = {}, on = server): Promise<Response> {
  return on.fetch(`/v2/a/manifests/${reference}`, {
    method: 'PUT',
    body: new TextEncoder().encode(body),
    headers: { 'content-type': imageIndex, ...headers },
  });
}

async function tagIsAt(tag: string): Promise<string | null> {
  return (await server.fetch(`/v2/a/manifests/${tag}`, { method: 'HEAD' })).headers.get('docker-content-digest');
}

describe('pushing a manifest', () => {
  test('by tag is answered with its digest, its location and its tag', async () => {
    const response = await put('v1', one);
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v2/a/manifests/${digestOfText(one)}`);
    expect(response.headers.get('docker-content-digest')).toBe(digestOfText(one));
    expect(response.headers.get('etag')).toBe(`"${digestOfText(one)}"`);
    expect(response.headers.get('oci-tag')).toBe('v1');
  });

  test('by digest with tag parameters sets all these tags, and the answer lists them', async () => {
    const response = await put(`${digestOfText(two)}?tag=t1&tag=t2&tag=t1`, two);
    expect([response.status, response.headers.get('oci-tag')]).toEqual([201, 't1, t2']);
    expect(await tagIsAt('t2')).toBe(digestOfText(two));
  });

  test('by tag with further tag parameters sets these tags too', async () => {
    expect((await put('x1?tag=x2&tag=', two)).headers.get('oci-tag')).toBe('x1, x2');
    expect(await tagIsAt('x2')).toBe(digestOfText(two));
  });

  test('by a sha512 digest is answered with that digest', async () => {
    const digest = digestOfText(one, 'sha512');
    const response = await put(`${digest}?tag=s512`, one);
    expect(response.headers.get('docker-content-digest')).toBe(digest);
    expect(await tagIsAt('s512')).toBe(digest);
  });

  test('with a subject is answered with OCI-Subject', async () => {
    const subject = { mediaType: imageManifest, digest: digestOfText('nothing'), size: 7 };
    const body = indexBytes('with subject', { mediaType: imageIndex, subject });
    expect((await put('subject', body)).headers.get('oci-subject')).toBe(subject.digest);
  });

  test.each([
    ['no Content-Type, but a mediaType', '', indexBytes('no type')],
    ['a Content-Type with parameters', `${imageIndex}; charset=utf-8`, indexBytes('charset')],
    ['no mediaType', imageIndex, indexBytes('plain', {})],
  ])('with %s gets its media type from the rest of the request', async (_what, type, body) => {
    const response = await server.raw(
      'PUT',
      '/v2/a/manifests/typed',
      type === '' ? {} : { 'content-type': type },
      body,
    );
    expect(response.status).toBe(201);
    const got = await server.fetch('/v2/a/manifests/typed');
    expect(got.headers.get('content-type')).toBe(imageIndex);
    expect(await got.text()).toBe(body);
  });

  test.each([
    ['not JSON', imageIndex, '{', 400, 'MANIFEST_INVALID'],
    ['deep nesting', imageIndex, '['.repeat(100_000), 400, 'MANIFEST_INVALID'],
    ['a field that is nested very deep', imageIndex, nested('schemaVersion'), 400, 'MANIFEST_INVALID'],
    ['a type that is nested very deep', imageIndex, nested('mediaType'), 400, 'MANIFEST_INVALID'],
    ['nothing', imageIndex, '', 400, 'MANIFEST_INVALID'],
    ['another mediaType than its Content-Type', imageManifest, one, 400, 'MANIFEST_INVALID'],
    ['a malformed Content-Type', 'json', one, 400, 'MANIFEST_INVALID'],
    ['an unknown Content-Type', 'application/json', one, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['Docker’s schema 1', 'application/vnd.docker.distribution.manifest.v1+json', '{}', 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('of %s is refused', async (_what, type, body, status, code) => {
    const response = await put('refused', body, { 'content-type': type });
    expect([response.status, await server.codeOf(response)]).toEqual([status, code]);
    expect(await tagIsAt('refused')).toBeNull();
  });

  test('that is refused does not repeat the manifest in the answer', async () => {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: '\u0001'.repeat(600_000) });
    expect((await (await put('refused', body)).text()).length).toBeLessThan(2000);
  });

  test('that names a missing blob is answered 404 MANIFEST_BLOB_UNKNOWN', async () => {
    const config = { mediaType: mediaTypes.empty, digest: digestOfText('{}'), size: 2 };
    const body = JSON.stringify({ schemaVersion: 2, config, layers: [] });
    const response = await put('missing', body, { 'content-type': imageManifest });
    expect([response.status, await server.codeOf(response)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
  });

  test.each([
    [`sha256:${'0'.repeat(64)}`, 400, 'DIGEST_INVALID'],
    ['sha256:abc', 400, 'DIGEST_INVALID'],
    [`md5:${'0'.repeat(32)}`, 400, 'DIGEST_INVALID'],
    ['.tag', 400, 'MANIFEST_INVALID'],
    ['t'.repeat(129), 400, 'MANIFEST_INVALID'],
    ['v1?tag=a+b', 400, 'MANIFEST_INVALID'],
  ])('to %s is answered %i %s', async (reference, status, code) => {
    const response = await put(reference, one);
    expect([response.status, await server.codeOf(response)]).toEqual([status, code]);
  });

  test('with more tags than the limit sets none of them, and names the limit', async () => {
    const parameters = (count: number): string => Array.from({ length: count }, (_, i) => `tag=m${i}`).join('&');
    for (const count of [100, 1500]) {
      const response = await put(`many?${parameters(count)}`, two);
      expect(response.status).toBe(414);
      const text = await response.text();
      expect(text).toContain('URI_TOO_LONG');
      expect(text).toContain('at most 100 tags');
    }
    expect(await tagIsAt('many')).toBeNull();
    expect((await put(`many?${parameters(99)}`, two)).status).toBe(201);
    expect((await put(`many?${'tag=same&'.repeat(1500)}`, two)).headers.get('oci-tag')).toBe('many, same');
    const strict = await startServer(createMemoryRegistry(), { limits: { tagsPerPush: 1 } });
    expect((await put(`${digestOfText(two)}?tag=a`, two, {}, strict)).status).toBe(201);
    expect((await put('a?tag=b', two, {}, strict)).status).toBe(414);
  });

  test('above the limit is answered 413, with or without an announced length', async () => {
    const small = await startServer(createMemoryRegistry(), { limits: { manifestSize: 100 } });
    const long = indexBytes('x'.repeat(100));
    const announced = await put('big', long, {}, small);
    const streamed = await small.fetch('/v2/a/manifests/big', {
      method: 'PUT',
      body: new Blob([long]).stream(),
      duplex: 'half',
      headers: { 'content-type': imageIndex },
    } as RequestInit);
    for (const response of [announced, streamed]) {
      expect([response.status, await small.codeOf(response)]).toEqual([413, 'CONTENT_TOO_LARGE']);
    }
  });

  test('of 4 MiB is accepted by default, and one byte more is refused', async () => {
    const room = 4 * 1024 * 1024 - indexBytes('').length;
    expect((await put('four', indexBytes('x'.repeat(room)))).status).toBe(201);
    expect((await put('four', indexBytes('x'.repeat(room + 1)))).status).toBe(413);
  });
});

describe('pulling a manifest', () => {
  beforeAll(async () => {
    await put('pull', one);
  });

  test.each(['pull', digestOfText(one)])('as %s gives its bytes, type and digest', async (reference) => {
    for (const method of ['GET', 'HEAD']) {
      const response = await server.fetch(`/v2/a/manifests/${reference}`, { method });
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': imageIndex,
        'content-length': `${one.length}`,
        'docker-content-digest': digestOfText(one),
        etag: `"${digestOfText(one)}"`,
      });
      expect(await response.text()).toBe(method === 'HEAD' ? '' : one);
    }
  });

  test('is answered 304 if the client has that manifest', async () => {
    const headers = { 'if-none-match': `W/"x", "${digestOfText(one)}"` };
    for (const method of ['GET', 'HEAD']) {
      const response = await server.fetch('/v2/a/manifests/pull', { method, headers });
      expect([response.status, response.headers.get('etag')]).toEqual([304, `"${digestOfText(one)}"`]);
    }
  });

  test('is answered 406 if Accept does not list its type', async () => {
    const response = await server.fetch('/v2/a/manifests/pull', { headers: { accept: imageManifest } });
    expect([response.status, await server.codeOf(response)]).toEqual([406, 'NOT_ACCEPTABLE']);
    const several = await server.fetch('/v2/a/manifests/pull', {
      headers: { accept: `${imageManifest}, ${imageIndex};q=0.5` },
    });
    expect(several.status).toBe(200);
  });

  test.each([
    ['/v2/a/manifests/none', 404, 'MANIFEST_UNKNOWN'],
    [`/v2/a/manifests/sha256:${'0'.repeat(64)}`, 404, 'MANIFEST_UNKNOWN'],
    ['/v2/none/manifests/none', 404, 'NAME_UNKNOWN'],
    ['/v2/a/manifests/sha256:0', 400, 'DIGEST_INVALID'],
    ['/v2/a/manifests/-x', 400, 'MANIFEST_INVALID'],
    ['/v2/a/manifests/', 400, 'MANIFEST_INVALID'],
    ['/v2/a/manifests/a%0ab', 400, 'MANIFEST_INVALID'],
  ])('as %s is answered %i %s', async (path, status, code) => {
    const response = await server.raw('GET', path);
    expect([response.status, response.code]).toEqual([status, code]);
    expect((await server.raw('HEAD', path)).status).toBe(status);
  });

  test('is redirected to where the registry says that it can be fetched', async () => {
    const descriptor = { mediaType: imageIndex, digest: digestOfText(one), size: one.length };
    const other = await startServer(
      partialRegistry({
        getTag: async () => ({ descriptor, bytes: new TextEncoder().encode(one) }),
        resolveTag: async () => descriptor,
      }),
      { locationsForDescriptor: (isManifest, { digest }) => [`https://x.example/${isManifest}/${digest}`] },
    );
    for (const method of ['GET', 'HEAD']) {
      const response = await other.fetch('/v2/a/manifests/t', { method, redirect: 'manual' });
      expect(response.status).toBe(307);
      expect(response.headers.get('location')).toBe(`https://x.example/true/${digestOfText(one)}`);
    }
  });

  test('has no digest header in the GET by tag alone, with omitDigestFromTagGetResponse', async () => {
    const other = await startServer(registry, { omitDigestFromTagGetResponse: true });
    const digestIn = async (reference: string, method: string): Promise<string | null> =>
      (await other.fetch(`/v2/a/manifests/${reference}`, { method })).headers.get('docker-content-digest');
    const digest = digestOfText(one);
    expect([
      await digestIn('pull', 'GET'),
      await digestIn('pull', 'HEAD'),
      await digestIn(digest, 'GET'),
      await digestIn(digest, 'HEAD'),
    ]).toEqual([null, digest, digest, digest]);
  });
});

describe('a conditional request', () => {
  beforeEach(async () => {
    await put('moving', one);
    await registry.deleteTag('a', 'absent').catch(() => undefined);
  });

  const at = (text: string): string => `"${digestOfText(text)}"`;

  test.each([
    ['moving', { 'if-match': at(one) }],
    ['moving', { 'if-match': `${at(two)}, ${at(one)}` }],
    ['moving', { 'if-match': '*' }],
    ['moving', { 'if-none-match': at(two) }],
    ['absent', { 'if-none-match': '*' }],
    ['absent', { 'if-none-match': at(one) }],
  ])('PUT to %s with %o moves the tag', async (tag, headers) => {
    expect((await put(tag, two, headers)).status).toBe(201);
    expect(await tagIsAt(tag)).toBe(digestOfText(two));
  });

  test.each([
    ['moving', { 'if-match': at(two) }],
    ['moving', { 'if-none-match': '*' }],
    ['moving', { 'if-none-match': at(one) }],
    ['absent', { 'if-match': '*' }],
    ['absent', { 'if-match': at(one) }],
  ])('PUT to %s with %o is answered 412 and moves nothing', async (tag, headers) => {
    const before = await tagIsAt(tag);
    const response = await put(tag, two, headers);
    expect([response.status, await server.codeOf(response)]).toEqual([412, 'PRECONDITION_FAILED']);
    expect(await tagIsAt(tag)).toBe(before);
  });

  test('to create a tag succeeds once if many run at the same time', async () => {
    const all = Array.from({ length: 20 }, (_, i) => put('absent', indexBytes(`racer ${i}`), { 'if-none-match': '*' }));
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 412)).toHaveLength(19);
  });

  test('with a malformed condition is answered 400', async () => {
    const response = await put('moving', two, { 'if-match': 'no quotes' });
    expect([response.status, await server.codeOf(response)]).toEqual([400, 'BAD_REQUEST']);
  });

  test('DELETE by tag obeys its condition', async () => {
    const remove = (headers: Record<string, string>): Promise<Response> =>
      server.fetch('/v2/a/manifests/moving', { method: 'DELETE', headers });
    expect((await remove({ 'if-match': at(two) })).status).toBe(412);
    expect(await tagIsAt('moving')).toBe(digestOfText(one));
    expect((await remove({ 'if-match': at(one) })).status).toBe(202);
    expect(await tagIsAt('moving')).toBeNull();
  });

  test('PUT by digest with tag parameters is judged by these tags', async () => {
    const reference = `${digestOfText(two, 'sha512')}?tag=moving&tag=absent`;
    expect((await put(reference, two, { 'if-none-match': '*' })).status).toBe(412);
    expect((await put(reference, two, { 'if-match': at(one) })).status).toBe(412);
    expect(await tagIsAt('absent')).toBeNull();
    await put('absent', one);
    expect((await put(reference, two, { 'if-match': at(one) })).status).toBe(201);
    expect(await tagIsAt('absent')).toBe(digestOfText(two, 'sha512'));
  });

  test('DELETE by digest, GET and HEAD obey their conditions', async () => {
    const path = `/v2/a/manifests/${digestOfText(one)}`;
    const headers = { 'if-match': at(two) };
    for (const method of ['DELETE', 'GET', 'HEAD']) {
      expect((await server.fetch(path, { method, headers })).status, method).toBe(412);
    }
    expect((await server.fetch(path, { headers: { 'if-match': `W/${at(one)}` } })).status).toBe(412);
    expect((await server.fetch(path, { headers: { 'if-match': at(one) } })).status).toBe(200);
  });

  test('for several tags with different digests holds if it holds for each', async () => {
    await put('apart-1', one);
    await put('apart-2', two);
    const none = digestOfText('none');
    expect((await put('apart-1?tag=apart-2', two, { 'if-match': at(one) })).status).toBe(412);
    expect((await put('apart-1?tag=apart-2', two, { 'if-none-match': `"${none}", ${at(two)}` })).status).toBe(412);
    expect((await put('apart-1?tag=apart-2', two, { 'if-match': `${at(two)}, ${at(one)}` })).status).toBe(201);
    expect((await put('apart-1?tag=absent', one, { 'if-none-match': at(one) })).status).toBe(201);
  });

  test('PUT by digest with If-None-Match * succeeds only if the manifest is new', async () => {
    const text = indexBytes('new by digest');
    const reference = digestOfText(text);
    expect((await put(reference, text, { 'if-none-match': '*' })).status).toBe(201);
    expect((await put(reference, text, { 'if-none-match': '*' })).status).toBe(412);
    expect((await put(reference, text, { 'if-match': '*' })).status).toBe(201);
  });
});

describe('deleting', () => {
  test('a tag keeps its manifest, and a manifest removes its tags', async () => {
    await put('d1?tag=d2&tag=d3', one);
    const remove = async (reference: string): Promise<number> =>
      (await server.fetch(`/v2/a/manifests/${reference}`, { method: 'DELETE' })).status;
    expect(await remove('d1')).toBe(202);
    expect(await remove('d1')).toBe(404);
    expect(await tagIsAt('d2')).toBe(digestOfText(one));
    expect(await remove(digestOfText(one))).toBe(202);
    expect([await tagIsAt('d2'), await tagIsAt('d3')]).toEqual([null, null]);
    expect(await remove(digestOfText(one))).toBe(404);
  });

  test('an immutable tag is answered 405, its manifest 403, and another push to that tag 403', async () => {
    const other = await startServer(createMemoryRegistry({ immutableTags: true }));
    await put('fixed', one, {}, other);
    const statuses = [
      (await other.fetch('/v2/a/manifests/fixed', { method: 'DELETE' })).status,
      (await other.fetch(`/v2/a/manifests/${digestOfText(one)}`, { method: 'DELETE' })).status,
      (await put('fixed', two, {}, other)).status,
      (await put('fixed', one, {}, other)).status,
    ];
    expect(statuses).toEqual([405, 403, 403, 201]);
  });
});

describe('a server with strictMediaTypes', () => {
  const withType = (artifactType: string): string => indexBytes('typed', { artifactType });

  test.each(['foo', 'text/plain; charset=utf-8'])('refuses the type %s, which another server takes', async (type) => {
    const strict = await startServer(createMemoryRegistry(), { strictMediaTypes: true });
    const refused = await put('v1', withType(type), {}, strict);
    expect([refused.status, await strict.codeOf(refused)]).toEqual([400, 'MANIFEST_INVALID']);
    expect((await put('v1', withType('application/vnd.example'), {}, strict)).status).toBe(201);
    expect((await put('typed', withType(type))).status).toBe(201);
  });

  test('has no referrers of such a type', async () => {
    const strict = await startServer(createMemoryRegistry(), { strictMediaTypes: true });
    const image = indexBytes('subject');
    await put('subject', image, {}, strict);
    const response = await strict.fetch(`/v2/a/referrers/${digestOfText(image)}?artifactType=foo`);
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ manifests: [] })]);
  });
});

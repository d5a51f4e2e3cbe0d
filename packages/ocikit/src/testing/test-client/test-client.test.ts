import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, test } from 'vitest';

import { collect, digestOf, mediaTypes } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { startTestServer } from '../../../test/start-test-server.ts';

import { imageOf, randomBlob } from '../index.ts';
import { testClient } from './index.ts';

const bytes = new TextEncoder().encode('content');
const digest = digestOf(bytes);
const image = imageOf();

/** A client of a server that answers everything in the same way. */
function clientOf(status: number, headers: Readonly<Record<string, string>>, body: BodyInit | null = null): Registry {
  return testClient('http://registry.test', { fetch: async () => new Response(body, { status, headers }) });
}

describe('the test client rejects an answer', () => {
  const ofBlob = { 'content-length': '7', 'docker-content-digest': digest };

  test('if its bytes do not have the digest', async () => {
    const content = await clientOf(200, ofBlob, 'CONTENT').getBlob('a', digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test('if it has fewer bytes than announced', async () => {
    const content = await clientOf(200, ofBlob, 'conten').getBlob('a', digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });

  test.each(['content-length', 'docker-content-digest'])('if it has no %s for a blob', async (name) => {
    const headers = { ...ofBlob, [name]: '' };
    await expect(clientOf(200, headers, bytes).getBlob('a', digest)).rejects.toThrow('the answer of');
    await expect(clientOf(200, headers).resolveBlob('a', digest)).rejects.toThrow('the answer of');
  });

  test('if it has another part of a blob than requested', async () => {
    const headers = { ...ofBlob, 'content-length': '3', 'content-range': 'bytes 1-3/7' };
    const registry = clientOf(206, headers, 'ont');
    await expect(registry.getBlob('a', digest, { range: { start: 0, end: 3 } })).rejects.toThrow('bytes 1-3/7');
    expect(await (await registry.getBlob('a', digest, { range: { start: 1, end: 4 } })).bytes()).toHaveLength(3);
  });

  test('if it refuses an existing part', async () => {
    const registry = clientOf(416, { 'content-range': 'bytes */7' });
    await expect(registry.getBlob('a', digest, { range: { start: 0, end: 3 } })).rejects.toThrow('though there are 7');
  });

  test('if it has another manifest than requested', async () => {
    const headers = { 'content-type': image.mediaType, 'content-length': `${image.bytes.length}` };
    const body = new Uint8Array(image.bytes);
    const right = clientOf(200, { ...headers, 'docker-content-digest': image.descriptor.digest }, body);
    expect((await right.getTag('a', 'v1')).descriptor).toEqual(image.descriptor);
    await expect(right.getManifest('a', digest)).rejects.toThrow('has the digest');
    const wrong = clientOf(200, { ...headers, 'docker-content-digest': digest }, body);
    await expect(wrong.getTag('a', 'v1')).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test('if it names no location or another digest for a pushed blob', async () => {
    const nowhere = clientOf(201, { 'docker-content-digest': digest });
    await expect(nowhere.pushBlob('a', { digest }, bytes)).rejects.toThrow('Location');
    const other = clientOf(201, { location: '/v2/a/blobs/x', 'docker-content-digest': image.descriptor.digest });
    await expect(other.pushBlob('a', { digest }, bytes)).rejects.toThrow('has the digest');
  });

  test('if it does not name a tag that was set', async () => {
    const headers = {
      location: '/v2/a/manifests/x',
      'docker-content-digest': image.descriptor.digest,
      'oci-tag': 'v1',
    };
    const push = clientOf(201, headers).pushManifest('a', image.bytes, image.mediaType, { tags: ['v1', 'v2'] });
    await expect(push).rejects.toThrow('v2');
  });

  test('if the next page of a list is on another server', async () => {
    const headers = { link: '<http://elsewhere.test/v2/a/tags/list>; rel="next"' };
    const registry = clientOf(200, headers, JSON.stringify({ name: 'a', tags: ['v1'] }));
    await expect(collect(registry.tags('a'))).rejects.toThrow('elsewhere');
  });

  test('if it lists tags though none was asked for', async () => {
    const registry = clientOf(200, {}, JSON.stringify({ name: 'a', tags: ['v1'] }));
    await expect(collect(registry.tags('a', { limit: 0 }))).rejects.toThrow('though none was asked for');
  });

  test('if it does not filter referrers, or lists them in no index', async () => {
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: [] });
    const unfiltered = clientOf(200, { 'content-type': mediaTypes.imageIndex }, index);
    expect(await collect(unfiltered.referrers('a', digest))).toEqual([]);
    await expect(collect(unfiltered.referrers('a', digest, { artifactType: 'a/b' }))).rejects.toThrow('not filtered');
    const untyped = clientOf(200, { 'content-type': 'application/json' }, index);
    await expect(collect(untyped.referrers('a', digest))).rejects.toThrow('no image index');
  });
});

describe('an error', () => {
  test('has the code of its body, with the time after which to retry', async () => {
    const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down', detail: { of: 'you' } }] });
    const registry = clientOf(429, { 'retry-after': '7' }, body);
    await expect(registry.startUpload('a')).rejects.toMatchObject({
      code: 'TOOMANYREQUESTS',
      status: 429,
      retryAfter: 7,
      detail: { of: 'you' },
    });
  });

  test('without a body has a code by its status and the request', async () => {
    await expect(clientOf(404, {}).resolveBlob('a', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(clientOf(404, {}).resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await expect(clientOf(400, {}).resolveTag('A', 'v1')).rejects.toMatchObject({ code: 'NAME_INVALID' });
    await expect(clientOf(503, {}).resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('with a body other than JSON keeps the body', async () => {
    const registry = clientOf(500, { 'content-type': 'text/html' }, '<h1>oops</h1>');
    await expect(registry.getTag('a', 'v1')).rejects.toMatchObject({ code: 'UNKNOWN', body: '<h1>oops</h1>' });
  });
});

test('the id of an upload at another path is its whole address', async () => {
  const sent: string[] = [];
  const registry = testClient('http://registry.test', {
    fetch: async (url, { method }) => {
      sent.push(`${method} ${url}`);
      const headers = { location: '/uploads/1?token=a%2Fb', range: '0-41' };
      return new Response(null, { status: method === 'POST' ? 202 : 204, headers });
    },
  });
  const upload = await registry.startUpload('a');
  expect(upload.id).toBe('http://registry.test/uploads/1?token=a%2Fb');
  expect((await registry.resumeUpload('a', upload.id)).size).toBe(42);
  await upload.cancel();
  expect(sent.slice(1)).toEqual([
    'GET http://registry.test/uploads/1?token=a%2Fb',
    'DELETE http://registry.test/uploads/1?token=a%2Fb',
  ]);
});

test('a blob that is read late is whole, even if garbage was collected before', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const server = await startTestServer();
  const blob = randomBlob(700_001);
  await server.registry.pushBlob('a', blob.descriptor, blob.bytes);
  const client = testClient(server.url);
  const whole = await client.getBlob('a', blob.descriptor.digest);
  const part = await client.getBlob('a', blob.descriptor.digest, { range: { start: 1 } });
  for (let times = 0; times < 5; times++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await whole.bytes()).toHaveLength(700_001);
  expect(await part.bytes()).toHaveLength(700_000);
});

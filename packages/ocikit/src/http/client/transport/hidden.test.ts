import { describe, expect, test } from 'vitest';

import { listen } from '../../../../test/listen.ts';
import { failureOf } from '../../../../test/transport-to.ts';
import { collect, digestOf } from '../../../model/index.ts';
import { imageOf, randomBlob } from '../../../testing/index.ts';

import { createClient } from '../index.ts';

const alice = { username: 'alice', password: 'secret' };
const basic = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
const image = imageOf();

/** A registry that answers strangers as if there were nothing, and asks for credentials at `/v2/` alone. */
async function hidingRegistry(
  status: number,
  headers: Record<string, string> = { 'www-authenticate': 'Basic realm="x"' },
): Promise<{ host: string; asked: string[] }> {
  const asked: string[] = [];
  const host = await listen(({ url = '', headers: { authorization } }, response) => {
    const isKnown = authorization === basic;
    asked.push(`${url.replace(/^\/v2\/|\?.*$/g, '')}${isKnown ? ' by alice' : ''}`);
    if (url === '/v2/') {
      response.writeHead(isKnown ? 200 : 401, headers).end();
    } else if (url.startsWith('/v2/_catalog')) {
      response.end(JSON.stringify({ repositories: isKnown ? ['private', 'public'] : ['public'] }));
    } else if (isKnown) {
      response.writeHead(200, { 'content-type': image.mediaType }).end(image.bytes);
    } else {
      response.writeHead(status).end();
    }
  });
  return { host, asked };
}

describe('a registry that hides what is private', () => {
  test.each([404, 403, 401])('by %i is asked once how to authenticate, and then again', async (status) => {
    const { host, asked } = await hidingRegistry(status);
    const client = createClient({ host, credentials: () => alice, backOff: false });
    await client.getTag('a', 'v1');
    await client.getTag('a', 'v2');
    expect(asked).toEqual(['a/manifests/v1', '', 'a/manifests/v1 by alice', 'a/manifests/v2 by alice']);
  });

  test('in the catalog is asked first how to authenticate', async () => {
    const { host, asked } = await hidingRegistry(404);
    const client = createClient({ host, credentials: () => alice, backOff: false });
    expect(await collect(client.repositories())).toEqual(['private', 'public']);
    expect(asked).toEqual(['', '_catalog by alice']);
  });

  test('is not asked without credentials', async () => {
    const { host, asked } = await hidingRegistry(404);
    const client = createClient({ host, backOff: false });
    expect(await failureOf(client.getTag('a', 'v1'))).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(await collect(client.repositories())).toEqual(['public']);
    expect(asked).toEqual(['a/manifests/v1', '_catalog']);
  });

  test('and asks for credentials with a 403 is given them', async () => {
    const asked: unknown[] = [];
    const host = await listen(({ url, headers: { authorization } }, response) => {
      asked.push([url, authorization]);
      if (authorization !== basic) response.writeHead(403, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(200, { 'content-type': image.mediaType }).end(image.bytes);
    });
    const path = '/v2/a/manifests/v1';
    const client = createClient({ host, credentials: () => alice, backOff: false });
    await client.getTag('a', 'v1');
    expect(asked).toEqual([
      [path, undefined],
      ['/v2/', undefined],
      [path, basic],
    ]);
    const stranger = createClient({ host, backOff: false });
    expect(await failureOf(stranger.getTag('a', 'v1'))).toMatchObject({ code: 'DENIED' });
    const refused = createClient({ host, credentials: () => ({ ...alice, password: 'no' }), backOff: false });
    expect(await failureOf(refused.getTag('a', 'v1'))).toMatchObject({ code: 'DENIED' });
  });

  test.each([200, 403, 404])('and asks for credentials at its version with a %i is given them', async (status) => {
    const host = await listen(({ url, headers: { authorization } }, response) => {
      if (authorization === basic) response.writeHead(200, { 'content-type': image.mediaType }).end(image.bytes);
      else if (url === '/v2/') response.writeHead(status, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(404).end();
    });
    const client = createClient({ host, credentials: () => alice, backOff: false });
    expect((await client.getTag('a', 'v1')).descriptor).toEqual(image.descriptor);
  });

  test('is asked only once if it wants no credentials', async () => {
    const { host, asked } = await hidingRegistry(404, {});
    const client = createClient({ host, credentials: () => alice, backOff: false });
    for (const tag of ['v1', 'v2']) {
      expect(await failureOf(client.getTag('a', tag))).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    }
    expect(await collect(client.repositories())).toEqual(['public']);
    expect(asked).toEqual(['a/manifests/v1', '', 'a/manifests/v2', '_catalog']);
  });
});

describe('a storage that takes a signed URL for GET alone', () => {
  const { descriptor, bytes } = randomBlob(1000);

  test.each([403, 401, 400])('and refuses HEAD with %i is asked for one byte', async (status) => {
    const storage = await listen(({ method, headers: { range } }, response) => {
      if (method === 'HEAD') response.writeHead(status, { 'www-authenticate': 'Basic realm="storage"' }).end();
      else if (range === 'bytes=0-0') {
        response.writeHead(206, { 'content-range': `bytes 0-0/${bytes.length}` }).end(bytes.subarray(0, 1));
      } else response.end(bytes);
    });
    const host = await listen((_, response) =>
      response.writeHead(307, { location: `http://${storage}/x?sig=1` }).end(),
    );
    const client = createClient({ host, credentials: () => alice, backOff: false });
    expect((await client.resolveBlob('a', descriptor.digest)).size).toBe(1000);
  });

  test('does not make an error of the registry itself a reason to ask again', async () => {
    const asked: unknown[] = [];
    const host = await listen(({ method }, response) => {
      asked.push(method);
      response.writeHead(403).end();
    });
    const client = createClient({ host, backOff: false });
    expect(await failureOf(client.resolveBlob('a', digestOf(bytes)))).toMatchObject({ code: 'DENIED' });
    expect(asked).toEqual(['HEAD']);
  });
});

describe('a registry whose answers to HEAD have no length but 0', () => {
  test('is asked for the size', async () => {
    const { descriptor, bytes } = randomBlob(1000);
    const empty = digestOf(new Uint8Array());
    const host = await listen(({ method, url = '', headers: { range } }, response) => {
      const found = url.includes('/manifests/') ? image.bytes : bytes;
      const headers = { 'content-type': image.mediaType, 'docker-content-digest': url.split('/').at(-1) };
      if (method === 'HEAD') response.writeHead(200, { ...headers, 'content-length': 0 }).end();
      else if (range === undefined) response.writeHead(200, headers).end(found);
      else response.writeHead(206, { 'content-range': `bytes 0-0/${found.length}` }).end(found.subarray(0, 1));
    });
    const client = createClient({ host, backOff: false });
    expect((await client.resolveBlob('a', descriptor.digest)).size).toBe(1000);
    expect((await client.resolveBlob('a', empty)).size).toBe(0);
    expect(await client.resolveManifest('a', image.descriptor.digest)).toEqual(image.descriptor);
    expect(await client.resolveTag('a', 'v1')).toEqual(image.descriptor);
  });
});

describe('a Link to a path that is not served', () => {
  /** Tags in pages of two; the Link has another path. */
  async function below(prefix: string, status: number, served = true): Promise<{ host: string; asked: string[] }> {
    const tags = ['a', 'b', 'c', 'd', 'e'];
    const asked: string[] = [];
    const host = await listen(({ url = '' }, response) => {
      const { pathname, searchParams, search } = new URL(url, 'http://x');
      asked.push(url);
      if (pathname !== '/v2/r/tags/list' || (!served && search.includes('last='))) {
        response
          .writeHead(status)
          .end(status === 200 ? '<html>' : JSON.stringify({ errors: [{ code: 'NAME_UNKNOWN' }] }));
        return;
      }
      const start = tags.indexOf(searchParams.get('last') ?? '') + 1;
      const page = tags.slice(start, start + 2);
      const link = `<${prefix}/v2/r/tags/list?n=2&last=${page.at(-1)}>; rel="next"`;
      response.writeHead(200, start + 2 < tags.length ? { link } : {}).end(JSON.stringify({ tags: page }));
    });
    return { host, asked };
  }

  test.each([404, 405, 400, 200])('(%i) is followed by its query', async (status) => {
    const { host, asked } = await below('/repository/docker', status);
    const client = createClient({ host, pageSize: 2, backOff: false });
    expect(await collect(client.tags('r'))).toEqual(['a', 'b', 'c', 'd', 'e']);
    // The wrong path is tried once.
    expect(asked.filter((url) => url.startsWith('/repository'))).toHaveLength(1);
  });

  test.each(['', '/repository/docker'])('is named in the error if no path is served (%j)', async (prefix) => {
    const { host } = await below(prefix, 404, false);
    const client = createClient({ host, pageSize: 2, backOff: false });
    expect(await failureOf(collect(client.tags('r')))).toMatchObject({
      code: 'UNKNOWN',
      message: expect.stringContaining(`${prefix}/v2/r/tags/list?n=2&last=b`) as unknown,
    });
  });
});

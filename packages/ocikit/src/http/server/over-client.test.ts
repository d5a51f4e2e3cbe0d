// A server over a client: what the upstream registry says reaches the clients of the server.
import { describe, expect, test } from 'vitest';

import { listen } from '../../../test/listen.ts';
import { startServer } from '../../../test/start-server.ts';
import type { TestServer } from '../../../test/start-server.ts';
import { digestOf, mediaTypes, RedirectError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { createClient } from '../client/index.ts';
import type { ClientOptions } from '../client/index.ts';

import { createServer } from './server.ts';

const bytes = new TextEncoder().encode('a blob');
const digest = digestOf(bytes);

async function over(host: string, options: Partial<ClientOptions> = {}): Promise<TestServer> {
  return startServer(createClient({ host, backOff: false, ...options }));
}

describe('an upstream that answers 401', () => {
  test.each(['Basic realm="the upstream"', 'Bearer realm="https://auth.example.com/token",service="x"'])(
    'passes its challenge on: %s',
    async (challenge) => {
      const upstream = await listen((_, response) =>
        response.writeHead(401, { 'www-authenticate': challenge }).end('{"errors":[{"code":"UNAUTHORIZED"}]}'),
      );
      const server = await over(upstream, { fetch: async (url, init) => fetchFor(upstream, url, init) });
      for (const method of ['GET', 'HEAD']) {
        const response = await server.fetch(`/v2/a/blobs/${digest}`, { method });
        expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, challenge]);
      }
      const pushed = await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' });
      expect([pushed.status, pushed.headers.get('www-authenticate')]).toEqual([401, challenge]);
    },
  );

  test.each(['the credentials are refused', 'the credentials cannot be had', 'the token server may have no secrets'])(
    'passes its challenge on if %s',
    async (why) => {
      const realm = why.includes('no secrets') ? 'https://tokens.example.net/' : 'https://auth.example.com/token';
      const challenge = `Bearer realm="${realm}",service="x"`;
      const fetcher: ClientOptions['fetch'] = async (url) =>
        new Response('{"errors":[{"code":"UNAUTHORIZED"}]}', {
          status: 401,
          headers: { 'www-authenticate': url.startsWith(realm) ? 'Basic realm="tokens"' : challenge },
        });
      const server = await over('registry.example.com', {
        fetch: fetcher,
        credentials: async () => {
          if (why.includes('cannot')) throw new Error('the helper is broken');
          return { username: 'me', password: 'wrong' };
        },
      });
      const response = await server.fetch('/v2/a/manifests/v1');
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, challenge]);
    },
  );

  test('passes on a challenge in another encoding than ASCII, and of several ways', async () => {
    const challenge = 'Basic realm="Zürich", Bearer realm="/token"';
    const upstream = await listen((_, response) => response.writeHead(401, { 'www-authenticate': challenge }).end());
    const server = await over(upstream);
    const response = await server.fetch('/v2/a/tags/list');
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, challenge]);
  });

  test('keeps the challenge of another server, to which it redirected, to itself', async () => {
    const storage = await listen((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="storage"' }).end(),
    );
    const upstream = await listen((request, response) =>
      response.writeHead(307, { location: `http://${storage}${request.url ?? ''}` }).end(),
    );
    const response = await (await over(upstream)).fetch(`/v2/a/blobs/${digest}`);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, null]);
  });
});

async function referrersOf(client: Registry): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const one of client.referrers('a', digest)) found.push(one);
  return found;
}

/** Sends requests to the upstream; the token server does not answer. */
async function fetchFor(upstream: string, url: string, init: RequestInit): Promise<Response> {
  if (!url.includes(upstream)) return new Response('', { status: 401 });
  return fetch(url, init);
}

describe('an upstream that redirects to its storage', () => {
  async function redirecting(status: number): Promise<{ host: string; location: string; asked: () => number }> {
    let asked = 0;
    const storage = await listen((_, response) => {
      asked++;
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    });
    const location = `http://${storage}/storage?signature=secret`;
    const host = await listen((request, response) => {
      const { url = '' } = request;
      if (url.startsWith('/v2/here/')) response.writeHead(status, { location: url.replace('here', 'there') }).end();
      else if (url.startsWith('/v2/there/')) response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      else response.writeHead(status, { location }).end();
    });
    return { host, location, asked: () => asked };
  }

  test.each([301, 302, 303, 307, 308])('has its %i passed on if the client gives locations', async (status) => {
    const { host, location, asked } = await redirecting(status);
    const server = await over(host, { redirects: 'throw' });
    for (const method of ['GET', 'HEAD']) {
      for (const path of [`/v2/a/blobs/${digest}`, '/v2/a/manifests/v1']) {
        const response = await server.fetch(path, { method, redirect: 'manual' });
        expect([response.status, response.headers.get('location')]).toEqual([status, location]);
      }
    }
    expect(asked()).toBe(0);
    const client = createClient({ host, redirects: 'throw' });
    await expect(client.getBlob('a', digest)).rejects.toBeInstanceOf(RedirectError);
    await expect(client.getBlob('a', digest)).rejects.toMatchObject({ location, redirectStatus: status });
  });

  test('has them followed without the option', async () => {
    const { host, asked } = await redirecting(307);
    const response = await (await over(host)).fetch(`/v2/a/blobs/${digest}`, { redirect: 'manual' });
    expect([response.status, await response.text()]).toEqual([200, 'a blob']);
    expect(asked()).toBeGreaterThan(0);
  });

  test('has them followed by whatever the client reads for itself', async () => {
    const { host } = await redirecting(307);
    const client = createClient({ host, redirects: 'throw', backOff: false });
    // The registry has no Referrers API, so the list of the fallback tag is read.
    await expect(referrersOf(client)).rejects.not.toBeInstanceOf(RedirectError);
  });

  test('has a redirect in the middle of a content followed', async () => {
    const large = new Uint8Array(200_000).fill(7);
    const storage = await listen((request, response) => {
      const start = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      const rest = large.subarray(start);
      response.writeHead(206, {
        'content-range': `bytes ${start}-${large.length - 1}/${large.length}`,
        'content-length': rest.length,
      });
      response.end(rest);
    });
    const host = await listen((request, response) => {
      if (request.headers.range !== undefined) {
        response.writeHead(307, { location: `http://${storage}/` }).end();
        return;
      }
      response.writeHead(200, { 'content-length': large.length });
      response.write(large.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50));
    });
    const client = createClient({ host, redirects: 'throw', backOff: { first: 1 } });
    expect(await (await client.getBlob('a', digestOf(large))).bytes()).toEqual(large);
  });

  test('has those within itself followed all the same', async () => {
    const { host } = await redirecting(307);
    const server = await over(host, { redirects: 'throw' });
    const response = await server.fetch(`/v2/here/blobs/${digest}`, { redirect: 'manual' });
    expect([response.status, await response.text()]).toEqual([200, 'a blob']);
  });
});

test('a handler over a client of a registry without trouble works as before', async () => {
  const registry = createMemoryRegistry();
  await registry.pushBlob('a', { digest }, bytes);
  const upstream = await startServer(registry);
  const { fetch: answer } = createServer(createClient({ host: `127.0.0.1:${upstream.port}`, redirects: 'throw' }));
  const response = await answer(new Request(`http://x/v2/a/blobs/${digest}`));
  expect([response.status, response.headers.get('content-type')]).toEqual([200, mediaTypes.octetStream]);
});

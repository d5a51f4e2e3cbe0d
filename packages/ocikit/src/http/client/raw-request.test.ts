import { gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { listen, bodyOf } from '../../../test/listen.ts';
import type { Handle } from '../../../test/listen.ts';
import { startTestServer } from '../../../test/start-test-server.ts';
import { nodeFetch } from '../../node/index.ts';
import { demandTokens } from '../../testing/index.ts';

import { createClient } from './index.ts';
import type { Client, ClientOptions } from './index.ts';

async function clientOf(handle: Handle, options: Partial<ClientOptions> = {}): Promise<Client> {
  return createClient({ host: await listen(handle), backOff: { first: 1 }, ...options });
}

describe('a raw request', () => {
  test('reaches a path that the specification does not have, with method, headers and body', async () => {
    const client = await clientOf(async (request, response) => {
      const { method, url, headers } = request;
      response.writeHead(201, { 'x-more': 'yes' });
      response.end(JSON.stringify({ method, url, type: headers['content-type'], body: await bodyOf(request) }));
    });
    const response = await client.request('/api/v1/things?a=b', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'hello',
    });
    expect([response.status, response.headers.get('x-more')]).toEqual([201, 'yes']);
    const expected = { method: 'POST', url: '/api/v1/things?a=b', type: 'text/plain', body: 'hello' };
    expect(await response.json()).toEqual(expected);
  });

  test('is authenticated with a token for what the challenge asks for', async () => {
    const server = await startTestServer({ faults: [demandTokens({ users: { me: 'secret' } })] });
    const credentials = async (): Promise<{ username: string; password: string }> => ({
      username: 'me',
      password: 'secret',
    });
    const client = createClient({ host: server.host, fetch: server.fetch, credentials });
    expect((await client.request('/v2/')).status).toBe(200);
    const anonymous = createClient({ host: server.host, fetch: server.fetch });
    await expect(anonymous.request('/v2/')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('is sent again after a failure that may pass, if it only reads or says that it may', async () => {
    let requests = 0;
    const client = await clientOf((_, response) => response.writeHead(++requests % 2 === 1 ? 503 : 200).end());
    expect((await client.request('/x')).status).toBe(200);
    expect((await client.request('/x', { method: 'PUT', body: new Uint8Array(3), repeatable: true })).status).toBe(200);
    await expect(client.request('/x', { method: 'POST' })).rejects.toMatchObject({ status: 503 });
    expect(requests).toBe(5);
  });

  test('rejects with the error of any other status', async () => {
    const client = await clientOf((_, response) =>
      response.writeHead(404).end('{"errors":[{"code":"NOT_FOUND","message":"no extension"}]}'),
    );
    await expect(client.request('/v2/_ext')).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 });
  });

  test('to HEAD, or answered 204, has no body', async () => {
    const client = await clientOf((request, response) =>
      response.writeHead(request.method === 'HEAD' ? 200 : 204, { 'x-a': 'b' }).end(),
    );
    for (const method of ['HEAD', 'DELETE'] as const) {
      const response = await client.request('/x', { method });
      expect([response.headers.get('x-a'), await response.text()]).toEqual(['b', '']);
    }
  });

  test.each(['x', '', 'https://other.example/v2/', '//other.example/', '/\\other.example/'])(
    'to %j is refused: credentials stay with the registry',
    async (path) => {
      const client = await clientOf(() => expect.unreachable());
      await expect(client.request(path)).rejects.toMatchObject({ code: 'NAME_INVALID' });
    },
  );

  test.each([
    [{ headers: { Authorization: 'Bearer x' } }, /the header authorization is the client's: use its option/],
    [{ headers: { Cookie: 'a=b' } }, /the header cookie/],
    [{ headers: { 'bad name': 'x' } }, /bad name/],
    [{ body: 'x' }, /a request by GET has no body/],
    [{ method: 'TRACE' as 'GET' }, /the method "TRACE" is none of GET/],
    [{ method: 'POST' as const, body: { a: 1 } as never }, /the body has to be a string or a Uint8Array/],
  ])('with %j is refused before it is sent', async (options, message) => {
    const client = await clientOf(() => expect.unreachable());
    await expect(client.request('/x', options)).rejects.toThrow(TypeError);
    await expect(client.request('/x', options)).rejects.toThrow(message);
  });

  test('whose answer nobody reads keeps no other request from its turn', async () => {
    const client = await clientOf((_, response) => response.end('short'), { concurrency: { small: 1 } });
    for (let i = 0; i < 5; i++) await client.request('/x');
    expect(await (await client.request('/x')).text()).toBe('short');
  });

  test('gives a long answer as a stream, decoded', async () => {
    const text = 'a long answer '.repeat(20_000);
    const handle: Handle = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text));
    };
    using fetch = nodeFetch();
    for (const client of [await clientOf(handle), await clientOf(handle, { fetch })]) {
      expect(await (await client.request('/x')).text()).toBe(text);
      await (await client.request('/x')).body?.cancel();
    }
  });

  test('follows redirects, whatever the option redirects says', async () => {
    const elsewhere = await listen((_, response) => response.end('there'));
    const handle: Handle = (_, response) => response.writeHead(307, { location: `http://${elsewhere}/y` }).end();
    const client = await clientOf(handle, { redirects: 'throw' });
    expect(await (await client.request('/x')).text()).toBe('there');
  });

  test('ends with its signal', async () => {
    const client = await clientOf(() => undefined);
    const reason = new Error('enough');
    await expect(client.request('/x', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

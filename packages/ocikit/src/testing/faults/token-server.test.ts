import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { startTestServer } from '../../../test/start-test-server.ts';

import { demandPassword, demandTokens, imageOf } from '../node.ts';
import type { TestServer, TokenOptions, TokenServer } from '../node.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  await server.addRef('a', 'v1', imageOf());
});

function demand(options?: TokenOptions): TokenServer {
  const tokens = demandTokens(options);
  server.inject(tokens);
  return tokens;
}

const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  server.fetch(server.url + path, { method, headers });

async function tokenFor(query: string, headers?: Record<string, string>): Promise<Record<string, unknown>> {
  const answer = await ask(`/token?${query}`, headers);
  return { status: answer.status, ...((await answer.json()) as object) };
}

const bearer = ({ token }: Record<string, unknown>): Record<string, string> => ({
  authorization: `Bearer ${String(token)}`,
});
const basic = (name: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

describe('demandTokens', () => {
  test.each([
    ['GET', '/v2/', undefined],
    ['GET', '/v2/a/manifests/v1', 'repository:a:pull'],
    ['HEAD', '/v2/a/b/blobs/sha256:00', 'repository:a/b:pull'],
    ['POST', '/v2/a/blobs/uploads/', 'repository:a:pull,push'],
    ['POST', '/v2/a/blobs/uploads/?mount=sha256:00&from=b', 'repository:a:pull,push repository:b:pull'],
    ['DELETE', '/v2/a/manifests/v1', 'repository:a:delete'],
    ['DELETE', '/v2/a/blobs/uploads/x', 'repository:a:pull,push'],
    ['GET', '/v2/_catalog', 'registry:catalog:*'],
  ])('challenges %s %s with the scope %s', async (method, path, scope) => {
    demand();
    const answer = await ask(path, {}, method);
    expect(answer.status).toBe(401);
    const realm = `Bearer realm="${server.url}/token",service="registry.test"`;
    expect(answer.headers.get('www-authenticate')).toBe(scope === undefined ? realm : `${realm},scope="${scope}"`);
  });

  test('accepts a token for its scope alone', async () => {
    const tokens = demand();
    const token = await tokenFor('service=registry.test&scope=repository:a:pull');
    expect(token).toMatchObject({ status: 200, expires_in: 300 });
    expect((await ask('/v2/a/manifests/v1', bearer(token))).status).toBe(200);
    const refused = await ask('/v2/a/manifests/v1', bearer(token), 'DELETE');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
    expect((await ask('/v2/b/tags/list', bearer(token))).status).toBe(401);
    const all = await tokenFor('scope=repository:a:*&scope=registry:catalog:*');
    for (const path of ['/v2/a/manifests/v1', '/v2/_catalog']) expect((await ask(path, bearer(all))).status).toBe(200);
    expect(tokens.issued).toBe(2);
  });

  test('no longer accepts a revoked token', async () => {
    const tokens = demand();
    const token = await tokenFor('scope=repository:a:pull');
    tokens.revoke();
    const refused = await ask('/v2/a/manifests/v1', bearer(token));
    expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  test('no longer accepts a token after its lifetime', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    demand({ lifetime: 60 });
    const token = await tokenFor('scope=repository:a:pull');
    expect((await ask('/v2/a/manifests/v1', bearer(token))).status).toBe(200);
    vi.advanceTimersByTime(60_001);
    expect((await ask('/v2/a/manifests/v1', bearer(token))).status).toBe(401);
  });

  test('issues tokens only to its users, each with the granted actions', async () => {
    demand({
      users: { alice: 'secret', bob: 'hidden' },
      grant: (_type, _repository, actions, user) =>
        user === 'alice' ? actions : actions.filter((one) => one === 'pull'),
    });
    const query = 'scope=repository:a:pull,delete';
    for (const headers of [{}, basic('alice', 'wrong'), basic('mallory', 'secret'), basic('toString', '')]) {
      expect((await tokenFor(query, headers))['status']).toBe(401);
    }
    const bob = bearer(await tokenFor(query, basic('bob', 'hidden')));
    expect((await ask('/v2/a/manifests/v1', bob)).status).toBe(200);
    expect((await ask('/v2/a/manifests/v1', bob, 'DELETE')).status).toBe(401);
    const alice = bearer(await tokenFor(query, basic('alice', 'secret')));
    expect((await ask('/v2/a/manifests/v1', alice, 'DELETE')).status).toBe(202);
  });

  test('issues tokens for POST, with a password or the refresh token of an earlier answer', async () => {
    demand({ users: { alice: 'secret' } });
    const post = async (form: Record<string, string>): Promise<Record<string, unknown>> => {
      const body = new URLSearchParams({ service: 'registry.test', scope: 'repository:a:pull', ...form });
      const answer = await server.fetch(`${server.url}/token`, { method: 'POST', body });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    const login = { grant_type: 'password', username: 'alice', access_type: 'offline' };
    expect(await post({ ...login, password: 'wrong' })).toMatchObject({ status: 401 });
    const first = await post({ ...login, password: 'secret' });
    expect((await ask('/v2/a/manifests/v1', bearer(first))).status).toBe(200);
    const second = await post({ grant_type: 'refresh_token', refresh_token: String(first['refresh_token']) });
    expect((await ask('/v2/a/manifests/v1', bearer(second))).status).toBe(200);
    expect(await post({ grant_type: 'refresh_token', refresh_token: 'guessed' })).toMatchObject({ status: 401 });
  });
});

test('demandPassword accepts requests with the name and password of a user', async () => {
  server.inject(demandPassword({ alice: 'se:cret' }));
  const refused = await ask('/v2/');
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="registry.test"']);
  expect((await ask('/v2/', basic('alice', 'se'))).status).toBe(401);
  expect((await ask('/v2/', basic('alice', 'se:cret'))).status).toBe(200);
});

test('a client with the password works with demandTokens and demandPassword', async () => {
  const credentials = async (): Promise<{ username: string; password: string }> => ({
    username: 'alice',
    password: 'secret',
  });
  for (const fault of [demandTokens({ users: { alice: 'secret' } }), demandPassword({ alice: 'secret' })]) {
    const end = server.inject(fault);
    const client = createClient({ host: server.host, fetch: server.fetch, credentials });
    await client.resolveTag('a', 'v1');
    const stranger = createClient({ host: server.host, fetch: server.fetch });
    await expect(stranger.resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    end();
  }
});

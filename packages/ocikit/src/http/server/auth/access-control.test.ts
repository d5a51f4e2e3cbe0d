import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';

import {
  accessRules,
  combineUsers,
  guardLogins,
  memoryKeys,
  memoryRobots,
  openRobots,
  openSigningKeys,
  parseScopes,
  staticUsers,
  tokenIssuer,
} from '../../../auth/index.ts';
import type { RulesDocument, TokenCheck } from '../../../auth/index.ts';
import { identityOf, RegistryError } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { imageOf, pushContent } from '../../../testing/index.ts';
import { accessChecker } from '../../../views/index.ts';
import { accessControl, createServer } from '../index.ts';
import type { AccessControlOptions, AuditEntry, Exchange, Reply } from '../index.ts';

const service = 'registry.example';
const image = imageOf();
const config = image.blobs[0]?.descriptor.digest ?? '';

const document: RulesDocument = {
  rules: [
    { allow: 'pull', repositories: 'public/**', subjects: 'anonymous' },
    { allow: ['push', 'delete'], repositories: 'team/**', subjects: [{ user: 'alice' }, { user: 'ci' }] },
    { allow: ['push', 'overwrite'], repositories: '${user}/**', subjects: 'authenticated' },
    { allow: 'push-only', repositories: 'drop/**', subjects: { user: 'bob' } },
  ],
};

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** A protected server. */
interface Scene {
  inside: Registry;
  audit: AuditEntry[];
  users: Map<string, string>;
  robots: Awaited<ReturnType<typeof openRobots>>;
  handle: (exchange: Exchange) => Promise<Reply>;
  ask: (path: string, asked?: Asked, runtime?: object) => Promise<Response>;
  /** Asks for a token. */
  token: (query: string, authorization?: string) => Promise<string>;
}

const basic = (user: string, password: string): string => `Basic ${btoa(`${user}:${password}`)}`;
const bearer = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
});
const alice = basic('alice', 'secret');
const bob = basic('bob', 'hidden');

async function scene(options: Partial<AccessControlOptions> = {}): Promise<Scene> {
  const inside = createMemoryRegistry();
  for (const name of ['public/app', 'team/app']) await pushContent(inside, name, image, { tags: ['v1'] });
  const passwords = new Map([
    ['alice', 'secret'],
    ['bob', 'hidden'],
  ]);
  const robots = await openRobots(memoryRobots());
  let fixed = staticUsers(Object.fromEntries(passwords));
  const users = combineUsers(
    robots,
    guardLogins({
      check: (user, password) => fixed.check(user, password),
      find: async (user) => (await fixed.find?.(user)) ?? [],
    }),
  );
  const set = passwords.set.bind(passwords);
  passwords.set = (user, password) => {
    set(user, password);
    fixed = staticUsers(Object.fromEntries(passwords));
    return passwords;
  };
  const remove = passwords.delete.bind(passwords);
  passwords.delete = (user) => {
    const was = remove(user);
    fixed = staticUsers(Object.fromEntries(passwords));
    return was;
  };
  const keys = await openSigningKeys(memoryKeys());
  const tokens = tokenIssuer({ keys, users, service, issuer: 'https://registry.example/token' });
  const rules = accessRules(document);
  const audit: AuditEntry[] = [];
  const access = accessControl({ rules, tokens, users, service, audit: (entry) => audit.push(entry), ...options });
  const server = createServer(accessChecker(inside, access.check), { middleware: [access.middleware] });
  const ask: Scene['ask'] = (path, { method = 'GET', headers = {}, body } = {}, runtime) =>
    server.fetch(
      new Request(`http://registry.example${path}`, {
        method,
        headers: { host: service, ...headers },
        ...(body !== undefined && { body }),
      }),
      runtime,
    );
  return {
    handle: (exchange) => server.handle(exchange),
    inside,
    audit,
    users: passwords,
    robots,
    ask,
    token: async (query, authorization) => {
      const response = await ask(
        `/token?service=${service}${query}`,
        authorization === undefined ? {} : { headers: { authorization } },
      );
      expect(response.status).toBe(200);
      return ((await response.json()) as { token: string }).token;
    },
  };
}

const challengeOf = (response: Response): string | null => response.headers.get('www-authenticate');
const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { errors: [{ code: string }] }).errors[0].code;
const messageOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { errors: [{ message: string }] }).errors[0].message;

describe('a challenge', () => {
  const start = `Bearer realm="http://registry.example/token",service="${service}"`;

  test.each<[string, string, string]>([
    ['GET', '/v2/', ''],
    ['GET', '/v2/team/app/manifests/v1', 'repository:team/app:pull'],
    ['HEAD', '/v2/team/app/manifests/v1', 'repository:team/app:pull'],
    ['GET', `/v2/team/app/blobs/${config}`, 'repository:team/app:pull'],
    ['GET', '/v2/team/app/tags/list', 'repository:team/app:pull'],
    ['GET', `/v2/team/app/referrers/${config}`, 'repository:team/app:pull'],
    ['PUT', '/v2/public/app/manifests/v1', 'repository:public/app:pull,push'],
    ['POST', '/v2/public/app/blobs/uploads/', 'repository:public/app:pull,push'],
    ['PATCH', '/v2/public/app/blobs/uploads/x', 'repository:public/app:pull,push'],
    ['GET', '/v2/public/app/blobs/uploads/x', 'repository:public/app:pull,push'],
    ['DELETE', '/v2/public/app/blobs/uploads/x', 'repository:public/app:pull,push'],
    [
      'POST',
      '/v2/team/app/blobs/uploads/?mount=x&from=public/app',
      'repository:team/app:pull,push repository:public/app:pull',
    ],
    ['POST', '/v2/team/app/blobs/uploads/?mount=x&from=A%22b', 'repository:team/app:pull,push'],
    ['DELETE', '/v2/public/app/manifests/v1', 'repository:public/app:delete'],
    ['GET', '/v2/nothing/here/manifests/v1', 'repository:nothing/here:pull'],
  ])('to %s %s is one, and names the scope', async (method, path, scope) => {
    const { ask } = await scene();
    const response = await ask(path, { method });
    expect(response.status).toBe(401);
    expect(challengeOf(response)).toBe(start + (scope === '' ? '' : `,scope="${scope}"`));
  });

  test.each<[string, AccessControlOptions['publicUrl'], Record<string, string>, Partial<Exchange>, string]>([
    ['the host of the request', undefined, {}, {}, 'http://registry.example'],
    ['its port too', undefined, { host: 'X.example:8443' }, {}, 'http://x.example:8443'],
    ['the host of a whole URL', undefined, {}, { authority: 'y.example' }, 'http://y.example'],
    ['https for a request with TLS', undefined, {}, { tls: {} }, 'https://registry.example'],
    ['https behind a proxy with TLS', undefined, { 'x-forwarded-proto': 'https' }, {}, 'https://registry.example'],
    ['https by the standard header', undefined, { forwarded: 'for=1;proto=https' }, {}, 'https://registry.example'],
    [
      'no host that a stranger forwards',
      undefined,
      { 'x-forwarded-host': 'evil.example' },
      { remoteAddress: '192.0.2.1' },
      'http://registry.example',
    ],
    [
      'the host that a trusted proxy forwards',
      undefined,
      { 'x-forwarded-host': 'front.example' },
      { remoteAddress: '192.0.2.9' },
      'http://front.example',
    ],
    ['the public URL', 'https://public.example', {}, {}, 'https://public.example'],
    [
      'the public URL with the host',
      ['https://a.example', 'https://b.example:5000'],
      { host: 'b.example:5000' },
      {},
      'https://b.example:5000',
    ],
    [
      'the first public URL for another host',
      ['https://a.example', 'https://b.example'],
      { host: 'evil.example' },
      {},
      'https://a.example',
    ],
    ['no host that would break the header', undefined, { host: 'a"b' }, {}, ''],
  ])('has in its realm %s', async (_what, publicUrl, headers, parts, expected) => {
    const { handle } = await scene({ publicUrl, trustsProxy: (address) => address === '192.0.2.9' });
    const all: Record<string, string> = { host: service, ...headers };
    const reply = await handle({
      method: 'GET',
      path: '/v2/',
      query: '',
      header: (name) => all[name],
      body: undefined,
      signal: new AbortController().signal,
      ...parts,
    });
    expect(reply.headers['WWW-Authenticate']).toMatch(`Bearer realm="${expected}/token"`);
  });

  test.each(['registry.example', 'https://x.example/path', 'ftp://x.example', 'https://x.example/?a'])(
    'cannot be made of the public URL %j',
    async (publicUrl) => {
      await expect(scene({ publicUrl })).rejects.toThrow(TypeError);
    },
  );
});

describe('a request', () => {
  test('without credentials may what everyone may', async () => {
    const { ask } = await scene();
    expect((await ask('/v2/public/app/manifests/v1')).status).toBe(200);
    expect((await ask(`/v2/public/app/blobs/${config}`, { method: 'HEAD' })).status).toBe(200);
    expect((await ask('/')).status).toBe(200);
    expect((await ask('/v2/none/such/path')).status).toBe(404);
    expect((await ask('/v2/_catalog')).status).toBe(200);
  });

  test('with any valid token or password gets 200 on /v2/', async () => {
    const { ask, token } = await scene();
    for (const authorization of [`Bearer ${await token('')}`, `Bearer ${await token('', alice)}`, alice, bob]) {
      expect((await ask('/v2/', { headers: { authorization } })).status).toBe(200);
    }
  });

  test.each([
    ['a wrong password', basic('alice', 'wrong')],
    ['an unknown user', basic('mallory', 'secret')],
    ['a token that is none', 'Bearer abc'],
    ['a forged token', 'Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL3JlZ2lzdHJ5LmV4YW1wbGUvdG9rZW4ifQ.'],
    ['a header that cannot be read', 'Basic %%%'],
    ['another scheme', 'Digest x'],
    ['a megabyte', `Bearer ${'x'.repeat(1024 * 1024)}`],
  ])('with %s is refused, also where everyone may read', async (_what, authorization) => {
    const { ask } = await scene();
    for (const path of ['/v2/', '/v2/public/app/manifests/v1', '/v2/team/app/manifests/v1']) {
      const response = await ask(path, { headers: { authorization } });
      expect(response.status).toBe(401);
      expect(challengeOf(response)).toMatch(
        /^Bearer realm="[^"]+",service="[^"]+"(?:,scope="[^"]+")?,error="invalid_token"$/,
      );
    }
    expect((await ask('/token', { headers: { authorization } })).status).toBe(401);
  });

  test('is judged by the rules, with the reason', async () => {
    const { ask, token } = await scene();
    const guest = bearer(await token('&scope=repository:team/app:pull,push', bob));
    const refused = await ask('/v2/team/app/blobs/uploads/', { method: 'POST', ...guest });
    expect([refused.status, challengeOf(refused)]).toEqual([403, null]);
    expect(await messageOf(refused)).toMatch(/^bob may not push to team\/app: /);
    const owner = bearer(await token('&scope=repository:team/app:pull,push', alice));
    expect((await ask('/v2/team/app/blobs/uploads/', { method: 'POST', ...owner })).status).toBe(202);
  });

  test('of an anonymous token that is refused says how to log in', async () => {
    const { ask, token } = await scene();
    const nobody = bearer(await token('&scope=repository:public/app:pull,push'));
    const refused = await ask('/v2/public/app/blobs/uploads/', { method: 'POST', ...nobody });
    expect(refused.status).toBe(403);
    expect(await messageOf(refused)).toMatch(/log in: docker login registry\.example$/);
  });

  test('with a token that is too narrow is asked for a wider one', async () => {
    const { ask, token } = await scene();
    const narrow = bearer(await token('&scope=repository:team/app:pull', alice));
    const response = await ask('/v2/team/app/blobs/uploads/', { method: 'POST', ...narrow });
    expect(response.status).toBe(401);
    expect(challengeOf(response)).toMatch(/,scope="repository:team\/app:pull,push",error="insufficient_scope"$/);
    // A wider one would not help here.
    expect(
      (await ask('/v2/team/app/manifests/v1', bearer(await token('&scope=repository:team/app:pull', bob)))).status,
    ).toBe(403);
  });

  test('HEAD that is refused lets a client that pushes go on to where the reason is shown', async () => {
    const { ask, token } = await scene();
    const pulling = { method: 'HEAD', ...bearer(await token('&scope=repository:team/app:pull', bob)) };
    const pushing = { method: 'HEAD', ...bearer(await token('&scope=repository:team/app:pull,push', bob)) };
    const status = async (path: string, asked: Asked): Promise<number> => (await ask(path, asked)).status;
    expect(await status('/v2/team/app/manifests/v1', pulling)).toBe(403);
    expect(await status('/v2/team/app/manifests/v1', pushing)).toBe(404);
    expect(await status(`/v2/team/app/blobs/${config}`, pulling)).toBe(404);
    expect(await status(`/v2/team/app/blobs/${config}`, pushing)).toBe(404);
  });

  test('cannot tell a hidden repository from one that does not exist', async () => {
    const { ask, token } = await scene();
    const answers = async (name: string, asked: Asked): Promise<unknown> => {
      const response = await ask(`/v2/${name}/manifests/v1`, asked);
      const text = (await response.text()).replaceAll(name, 'NAME');
      return [response.status, text, challengeOf(response)?.replaceAll(name, 'NAME')];
    };
    for (const asked of [
      {},
      { headers: { authorization: bob } },
      bearer(await token('', bob)),
      bearer(await token('')),
    ]) {
      expect(await answers('team/app', asked)).toEqual(await answers('team/none', asked));
    }
  });

  test('loses its rights as soon as the user does', async () => {
    const { ask, token, users } = await scene();
    const owner = bearer(await token('&scope=repository:team/app:pull', alice));
    expect((await ask('/v2/team/app/manifests/v1', owner)).status).toBe(200);
    users.set('alice', 'other');
    const response = await ask('/v2/team/app/manifests/v1', owner);
    expect([response.status, challengeOf(response)?.includes('error="invalid_token"')]).toEqual([401, true]);
  });

  test('sees in the catalog what it may see', async () => {
    const { ask, inside, token } = await scene();
    await pushContent(inside, 'bob/app', image, { tags: ['v1'] });
    const seenBy = async (authorization?: string): Promise<unknown> =>
      (
        (await (
          await ask('/v2/_catalog', authorization === undefined ? {} : { headers: { authorization } })
        ).json()) as { repositories: string[] }
      ).repositories;
    expect(await seenBy()).toEqual(['public/app']);
    expect(await seenBy(alice)).toEqual(['public/app', 'team/app']);
    expect(await seenBy(bob)).toEqual(['bob/app', 'public/app']);
    expect(await seenBy(`Bearer ${await token('&scope=registry:catalog:*', bob)}`)).toEqual(['bob/app', 'public/app']);
    expect(await seenBy(`Bearer ${await token('&scope=registry:catalog:*')}`)).toEqual(['public/app']);
  });

  test('that moves a tag needs more than one that sets it', async () => {
    const { ask, inside } = await scene();
    const other = imageOf();
    for (const name of ['team/app', 'bob/app']) await pushContent(inside, name, other);
    const put = (path: string, authorization: string): Promise<Response> =>
      ask(path, {
        method: 'PUT',
        headers: { authorization, 'content-type': other.mediaType },
        body: new Uint8Array(other.bytes),
      });
    expect((await put('/v2/team/app/manifests/v2', alice)).status).toBe(201);
    const refused = await put('/v2/team/app/manifests/v1', alice);
    expect(refused.status).toBe(403);
    expect(await messageOf(refused)).toMatch(/^the tag v1 exists, and alice may not move existing tags of team\/app/);
    await pushContent(inside, 'bob/app', image, { tags: ['v1'] });
    expect((await put('/v2/bob/app/manifests/v1', bob)).status).toBe(201);
  });

  test('mounts only from what it may read, and goes on as an upload else', async () => {
    const { ask, token } = await scene();
    const asked = {
      method: 'POST',
      ...bearer(
        await token(
          '&scope=repository:bob/app:pull,push&scope=repository:public/app:pull&scope=repository:team/app:pull',
          bob,
        ),
      ),
    };
    const mount = async (from: string): Promise<number> =>
      (await ask(`/v2/bob/app/blobs/uploads/?mount=${config}&from=${from}`, asked)).status;
    expect([await mount('team/app'), await mount('none/such'), await mount('public/app')]).toEqual([202, 202, 201]);
    // A token does not take away what everyone may.
    const narrow = { method: 'POST', ...bearer(await token('&scope=repository:bob/other:pull,push', bob)) };
    expect((await ask(`/v2/bob/other/blobs/uploads/?mount=${config}`, narrow)).status).toBe(201);
    expect((await ask('/v2/public/app/manifests/v1', bearer(await token('', bob)))).status).toBe(200);
  });

  test('pushes without reading where the rule says so', async () => {
    const { ask } = await scene();
    const headers = { authorization: bob };
    expect((await ask('/v2/drop/box/blobs/uploads/', { method: 'POST', headers })).status).toBe(202);
    expect((await ask(`/v2/drop/box/blobs/${config}`, { headers })).status).toBe(403);
  });

  test.each([
    '/v2/public/../team/app/manifests/v1',
    '/v2/public%2f..%2fteam/app/manifests/v1',
    '/v2/public//team/app/manifests/v1',
    '/v2/PUBLIC/app/manifests/v1',
    '/v2/team%2Fapp/manifests/v1',
    '/v2/public/app/../../team/app/manifests/v1',
    '/V2/team/app/manifests/v1',
    '/v2//team/app/manifests/v1',
  ])('gets nothing by %s', async (path) => {
    const { handle } = await scene();
    const reply = await handle({
      method: 'GET',
      path,
      query: '',
      header: (name) => (name === 'host' ? service : undefined),
      body: undefined,
      signal: new AbortController().signal,
    });
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
  });

  test('is recorded, without its secrets', async () => {
    const { ask, audit, token } = await scene();
    const text = await token('&scope=repository:team/app:pull', alice);
    await ask(
      '/v2/team/app/blobs/uploads/',
      { method: 'POST', headers: { authorization: bob } },
      { remoteAddress: '192.0.2.1' },
    );
    await ask('/v2/', { headers: { authorization: basic('alice', 'guess') } });
    expect(audit).toMatchObject([
      { user: 'alice', action: 'login', allowed: true },
      {
        user: 'bob',
        address: '192.0.2.1',
        action: 'push',
        resource: 'uploads',
        repository: 'team/app',
        allowed: false,
      },
      { user: undefined, action: 'login', allowed: false },
    ]);
    for (const secret of ['secret', 'hidden', 'guess', text]) expect(JSON.stringify(audit)).not.toContain(secret);
  });
});

describe('the token endpoint', () => {
  const form = (fields: Record<string, string>): Asked => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  });
  type Answer = { token: string; access_token: string; expires_in: number; issued_at: string; refresh_token?: string };
  const answerOf = async (response: Response): Promise<Answer> => {
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    return (await response.json()) as Answer;
  };
  const accessIn = ({ token }: { token: string }): unknown => decodeJwt(token)['access'];

  test('answers GET with what the rules grant', async () => {
    const { ask } = await scene();
    const query =
      '?scope=repository:team/app:pull&scope=repository:team/app:push,delete repository:public/app:push,pull&scope=what:x:y';
    const answer = await answerOf(await ask(`/token${query}`, { headers: { authorization: alice } }));
    expect(answer).toMatchObject({ access_token: answer.token, expires_in: 900 });
    expect(Date.parse(answer.issued_at)).toBeGreaterThan(0);
    expect(answer.refresh_token).toBeUndefined();
    expect(accessIn(answer)).toEqual([
      { type: 'repository', name: 'team/app', actions: ['pull', 'push', 'delete'] },
      { type: 'repository', name: 'public/app', actions: ['pull'] },
    ]);
  });

  test.each<[string, Asked]>([
    ['no credentials', {}],
    ['an empty user and password', { headers: { authorization: 'Basic Og==' } }],
    ['an empty form', form({})],
  ])('gives an anonymous token for %s', async (_what, asked) => {
    const { ask } = await scene();
    const answer = await answerOf(await ask('/token?scope=repository:public/app:pull,push', asked));
    expect(decodeJwt(answer.token).sub).toBe('');
  });

  test('gives a token without any right rather than an error', async () => {
    const { ask } = await scene();
    const answer = await answerOf(
      await ask('/token?scope=repository:team/app:pull', { headers: { authorization: bob } }),
    );
    expect(accessIn(answer)).toEqual([]);
  });

  test('answers POST with a password, and with the refresh token that it gave', async () => {
    const { ask, users } = await scene();
    const login = {
      grant_type: 'password',
      username: 'alice',
      password: 'secret',
      access_type: 'offline',
      scope: 'repository:team/app:pull',
    };
    const first = await answerOf(await ask('/token', form(login)));
    expect(accessIn(first)).toEqual([{ type: 'repository', name: 'team/app', actions: ['pull'] }]);
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token ?? '',
      scope: 'repository:team/app:push',
    };
    const second = await answerOf(await ask('/token', form(refresh)));
    expect(decodeJwt(second.token).sub).toBe('alice');
    expect(second.refresh_token).toBe(first.refresh_token);
    // containerd and docker's plugins send it as a password.
    const asPassword = { headers: { authorization: basic('', first.refresh_token ?? '') } };
    expect(decodeJwt((await answerOf(await ask('/token', asPassword))).token).sub).toBe('alice');
    users.set('alice', 'other');
    for (const asked of [form(refresh), asPassword]) {
      const response = await ask('/token', asked);
      expect([response.status, await codeOf(response)]).toEqual([401, 'UNAUTHORIZED']);
    }
  });

  test('takes a robot, limited to its scopes, which ends when it is revoked', async () => {
    const { ask, robots } = await scene();
    const { token, robot } = await robots.create({ user: 'ci', scopes: parseScopes('repository:team/app:pull') });
    const authorization = basic('ci', token);
    const query = '/token?scope=repository:team/app:pull,push&offline_token=true';
    const answer = await answerOf(await ask(query, { headers: { authorization } }));
    expect(accessIn(answer)).toEqual([{ type: 'repository', name: 'team/app', actions: ['pull'] }]);
    expect((await ask('/v2/team/app/manifests/v1', bearer(answer.token))).status).toBe(200);
    expect((await ask('/v2/team/app/blobs/uploads/', { method: 'POST', headers: { authorization } })).status).toBe(403);
    const pushed = await ask('/v2/team/app/blobs/uploads/', { method: 'POST', ...bearer(answer.token) });
    expect(pushed.status).toBe(403);
    await robots.revoke(robot.id);
    expect((await ask('/v2/team/app/manifests/v1', bearer(answer.token))).status).toBe(401);
    expect(
      (await ask('/token', form({ grant_type: 'refresh_token', refresh_token: answer.refresh_token ?? '' }))).status,
    ).toBe(401);
  });

  test('takes a token of a trusted issuer in every place, and gives no refresh token of its own for it', async () => {
    const workload = 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2dpdGxhYi5leGFtcGxlIn0.x';
    const issuer: TokenCheck = {
      identify: (token) =>
        Promise.resolve(token === workload ? identityOf('gitlab:job', { groups: ['ci'] }) : undefined),
    };
    const { ask } = await scene({ issuers: [issuer] });
    for (const asked of [
      { headers: { authorization: basic('any', workload) } },
      form({ grant_type: 'password', username: 'x', password: workload, access_type: 'offline' }),
    ]) {
      const answer = await answerOf(await ask('/token?offline_token=true', asked));
      expect(answer.refresh_token).toBeUndefined();
      expect(decodeJwt(answer.token).sub).toBe('gitlab:job');
      expect((await ask('/v2/', bearer(answer.token))).status).toBe(200);
    }
    const refreshed = await answerOf(
      await ask('/token', form({ grant_type: 'refresh_token', refresh_token: workload })),
    );
    expect(decodeJwt(refreshed.token).sub).toBe('gitlab:job');
    for (const authorization of [basic('any', workload), `Bearer ${workload}`]) {
      expect((await ask('/v2/', { headers: { authorization } })).status).toBe(200);
    }
  });

  test('publishes the keys of its tokens', async () => {
    const { ask, token } = await scene();
    const response = await ask('/token/keys');
    const { keys } = (await response.json()) as { keys: { kid: string; d?: string }[] };
    expect(keys).toHaveLength(1);
    expect(keys[0]?.d).toBeUndefined();
    expect(decodeProtectedHeader(await token('')).kid).toBe(keys[0]?.kid);
  });

  test.each<[string, Asked, number, string]>([
    ['another method', { method: 'PUT', body: '' }, 405, 'UNSUPPORTED'],
    ['another grant', form({ grant_type: 'authorization_code' }), 400, 'BAD_REQUEST'],
    ['a refresh without a token', form({ grant_type: 'refresh_token' }), 400, 'BAD_REQUEST'],
    ['a refresh token that is none', form({ grant_type: 'refresh_token', refresh_token: 'x' }), 401, 'UNAUTHORIZED'],
    ['a form that is too long', form({ scope: 'x'.repeat(200_000) }), 400, 'SIZE_INVALID'],
    ['a wrong password', form({ grant_type: 'password', username: 'alice', password: 'no' }), 401, 'UNAUTHORIZED'],
  ])('refuses %s', async (_what, asked, status, code) => {
    const { ask } = await scene();
    const response = await ask('/token', asked);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  test('says when to come back if too many log in', async () => {
    const users = { check: () => Promise.reject(new RegistryError('TOOMANYREQUESTS', 'later', { retryAfter: 7 })) };
    const { ask } = await scene({ users });
    const response = await ask('/token', { headers: { authorization: alice } });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
  });
});

test('a verified certificate is a login, if its user is known', async () => {
  const certificateUser: AccessControlOptions['certificateUser'] = ({ subject }) =>
    typeof subject['CN'] === 'string' ? identityOf(subject['CN']) : undefined;
  const { ask } = await scene({ certificateUser });
  const certificate = { subject: { CN: 'alice' }, subjectAltNames: [], fingerprint: 'a', expires: new Date() };
  expect((await ask('/v2/team/app/manifests/v1', {}, { tls: { certificate } })).status).toBe(200);
  expect(
    (await ask('/v2/team/app/manifests/v1', {}, { tls: { certificate: { ...certificate, subject: {} } } })).status,
  ).toBe(401);
  expect((await ask('/v2/team/app/manifests/v1', {}, { tls: {} })).status).toBe(401);
});

test.each(['', '&offline_token=true'])(
  'a certificate with the name of a user gets tokens of its own%s',
  async (more) => {
    const certificateUser: AccessControlOptions['certificateUser'] = ({ subject }) =>
      typeof subject['CN'] === 'string' ? identityOf(subject['CN']) : undefined;
    const { ask, users } = await scene({ certificateUser });
    const certificate = { subject: { CN: 'alice' }, subjectAltNames: [], fingerprint: 'a', expires: new Date() };
    const issued = await ask(`/token?scope=repository:team/app:pull${more}`, {}, { tls: { certificate } });
    expect(issued.status).toBe(200);
    const body = (await issued.json()) as { token: string; refresh_token?: string };
    expect(body.refresh_token).toBeUndefined();
    expect((await ask('/v2/team/app/manifests/v1', bearer(body.token))).status).toBe(200);
    users.set('alice', 'another password');
    expect((await ask('/v2/team/app/manifests/v1', bearer(body.token))).status).toBe(200);
  },
);

test('a token of an issuer that limits its scopes cannot be widened by another one', async () => {
  const scopes = parseScopes('repository:team/app:pull');
  const issuer: TokenCheck = {
    identify: async (token) => (token === 'narrow' ? identityOf('ci', { scopes }) : undefined),
  };
  const { ask, token, inside } = await scene({ issuers: [issuer] });
  await pushContent(inside, 'ci/app', image, { tags: ['v1'] });
  const direct = await ask('/v2/_catalog', bearer('narrow'));
  expect(await direct.json()).toEqual({ repositories: ['team/app'] });
  const exchanged = await token('&scope=registry:catalog:*', 'Bearer narrow');
  expect(await (await ask('/v2/_catalog', bearer(exchanged))).json()).toEqual({ repositories: ['team/app'] });
});

test.each(['GET', 'HEAD'])('the challenge of an upstream registry is not passed on, with %s', async (method) => {
  const { ask, inside } = await scene();
  const refuse = (): Promise<never> =>
    Promise.reject(
      new RegistryError('UNAUTHORIZED', 'upstream says no', { challenge: 'Bearer realm="https://upstream.example"' }),
    );
  Object.assign(inside, { getTag: refuse, resolveTag: refuse });
  const refused = await ask('/v2/public/app/manifests/v1', { method });
  expect(refused.status).toBe(401);
  expect(challengeOf(refused)).toBe(
    `Bearer realm="http://registry.example/token",service="${service}",scope="repository:public/app:pull"`,
  );
  if (method === 'GET') expect(await messageOf(refused)).toBe('upstream says no');
});

test.each([
  ['registry.example', 'https://registry.example/token'],
  ['other.example', 'https://registry.example/token'],
])('a challenge over TLS never names a public URL without it, for the host %s', async (host, realm) => {
  const { ask } = await scene({ publicUrl: ['http://registry.example'] });
  for (const [headers, runtime] of [
    [{ host }, { tls: {} }],
    [{ host, 'x-forwarded-proto': 'https' }, {}],
  ] as const) {
    expect(challengeOf(await ask('/v2/', { headers }, runtime))).toContain(`realm="${realm}"`);
  }
  expect(challengeOf(await ask('/v2/'))).toContain('realm="http://registry.example/token"');
});

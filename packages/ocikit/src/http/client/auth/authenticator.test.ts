import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { eventually } from '../../../../test/eventually.ts';
import { asker, failureOf, shown } from '../../../../test/ask.ts';
import { listen, startGuardedRegistry, startTokenServer } from '../../../../test/token-server.ts';
import type {
  GuardedRegistry,
  LoopbackServer,
  SeenRequest,
  TokenServer,
  TokenServerOptions,
} from '../../../../test/token-server.ts';
import { explain } from '../transport/index.ts';

import { createAuthenticator } from './authenticator.ts';
import type { Authorization } from './authenticator.ts';
import type { Credential } from '../shared/index.ts';

const open: LoopbackServer[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const server of open.splice(0)) server.close();
});

function opened<T extends LoopbackServer>(server: T): T {
  open.push(server);
  return server;
}

const alice = { username: 'alice', password: 'pässwörd: 1' };
const aliceBasic = `Basic ${Buffer.from('alice:pässwörd: 1').toString('base64')}`;

/** A registry that wants tokens of a token server of its own host. */
async function guarded(
  options: TokenServerOptions & {
    challenge?: (needed: string, realm: string, request: SeenRequest) => string | string[];
  } = {},
): Promise<{ registry: GuardedRegistry; tokens: TokenServer }> {
  const { challenge = (needed, realm) => `Bearer realm="${realm}",service="registry",scope="${needed}"` } = options;
  const tokens = opened(await startTokenServer(options));
  const registry = opened(
    await startGuardedRegistry(
      (needed, request) => challenge(needed, `${tokens.origin}/token`, request),
      (authorization = '', needed) => {
        const scope = tokens.granted.get(authorization.replace(/^Bearer /, '')) ?? [];
        const [type, name, action = ''] = needed.split(':');
        return scope.some(
          (one) => one.startsWith(`${type}:${name}:`) && one.split(':')[2]?.split(',').includes(action),
        );
      },
    ),
  );
  return { registry, tokens };
}

async function guardedByPassword(challenge = 'Basic realm="x"'): Promise<GuardedRegistry> {
  return opened(
    await startGuardedRegistry(
      () => challenge,
      (authorization) => authorization === aliceBasic,
    ),
  );
}

describe('a password by Basic', () => {
  test('is sent when it is asked for, and from then on at once', async () => {
    const registry = await guardedByPassword();
    const ask = asker(registry.host, { credentials: () => alice });
    await ask('repository:a:pull');
    await ask('repository:b:pull');
    expect(registry.statuses).toStrictEqual([401, 200, 200]);
    expect(registry.seen[0]?.headers.authorization).toBeUndefined();
  });

  test('that is refused is not sent again, and the caller gets the answer', async () => {
    const registry = await guardedByPassword();
    const ask = asker(registry.host, { credentials: () => ({ username: 'alice', password: 'wrong' }) });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ status: 401, code: 'UNAUTHORIZED', errors: [{ message: 'who are you?' }] });
    expect(registry.statuses).toStrictEqual([401, 401]);
    await failureOf(ask('repository:a:pull'));
    expect(registry.statuses).toStrictEqual([401, 401, 401]);
  });

  test('that is refused is asked for again when a minute has passed, and another one is sent', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const registry = await guardedByPassword();
    let password = 'old';
    const credentials = vi.fn(() => ({ username: 'alice', password }));
    const ask = asker(registry.host, { credentials });
    await failureOf(ask('repository:a:pull'));
    ({ password } = alice);
    await failureOf(ask('repository:a:pull'));
    expect(credentials).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(60_000);
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    expect(credentials).toHaveBeenCalledTimes(2);
    expect(registry.statuses).toStrictEqual([401, 401, 401, 401, 200, 200]);
  });

  test.each([
    'Basic realm="x"',
    'Digest realm="x"',
    'Bearer realm="x',
    'Bearer',
    'Bearer realm="nowhere"',
    'Bearer realm=""',
  ])('is not there, and %j is all that is offered: the answer is the caller’s after one request', async (challenge) => {
    const registry = await guardedByPassword(challenge);
    expect(await failureOf(asker(registry.host)('repository:a:pull'))).toMatchObject({ status: 401 });
    expect(registry.statuses).toStrictEqual([401]);
  });

  test.each(['Bearer realm="ftp://127.0.0.1/", Basic realm="x"', 'Basic realm="x", Bearer service="no realm"'])(
    'is sent where no token can be fetched: %j',
    async (challenge) => {
      const registry = await guardedByPassword(challenge);
      expect(await asker(registry.host, { credentials: () => alice })('repository:a:pull')).toBe(200);
    },
  );

  test.each<string | string[]>([
    'Basic realm=/',
    'Basic realm=Registry Realm',
    "Basic realm='x y'",
    'Basic realm="x"; charset=UTF-8',
    'Basic realm="x',
    'Basic realm="x",realm="y"',
    '<html>, Basic realm="x"',
    'Bearer realm="x" service="y" Basic realm="z"',
  ])('is sent if the challenge is written loosely: %j', async (challenge) => {
    const registry = await guardedByPassword(challenge as string);
    expect(await asker(registry.host, { credentials: () => alice })('repository:a:pull')).toBe(200);
  });

  test.each([
    ['Bearer realm="x', 'realm="x'],
    ['<html>', '<html>'],
    ['Bearer realm="https://a",realm="https://b"', 'realm="https://b"'],
    ['Bearer realm="nowhere"', '"nowhere"'],
    ['Bearer realm="ftp://a/t"', 'ftp://a/t'],
  ])('cannot be sent for %j, and the error says that %s cannot be used', async (challenge, what) => {
    const registry = await guardedByPassword(challenge);
    const error = await failureOf(asker(registry.host, { credentials: () => alice })('repository:a:pull'));
    expect(error).toMatchObject({
      status: 401,
      code: 'UNAUTHORIZED',
      message: expect.stringContaining(what) as unknown,
    });
  });

  test('cannot have a user name with a colon, and the error does not show it', async () => {
    const registry = await guardedByPassword();
    const ask = asker(registry.host, { credentials: () => ({ username: 'al:ice', password: 'hunter2' }) });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', message: expect.stringContaining('colon') as unknown });
    expect(shown(error)).not.toContain('hunter2');
    expect(registry.seen).toHaveLength(0);
  });
});

describe('a token', () => {
  test.each<[string, (needed: string, realm: string) => string | string[]]>([
    ['no comma', (needed, realm) => `Bearer realm="${realm}" service="s" scope="${needed}"`],
    ['semicolons', (needed, realm) => `Bearer realm="${realm}"; service="s"; scope="${needed}"`],
    ['single quotes', (needed, realm) => `Bearer realm='${realm}',service='s',scope='${needed}'`],
    ['no quotes', (needed, realm) => `Bearer realm=${realm},service=s,scope=${needed}`],
    ['an error of two words', (needed, realm) => `Bearer realm="${realm}",scope="${needed}",error=invalid token`],
    ['another header before it', (needed, realm) => ['@@ "', `Bearer realm="${realm}",scope="${needed}"`]],
    [
      'an unfinished header before it',
      (needed, realm) => ['Basic realm="x', `Bearer realm="${realm}",scope="${needed}"`],
    ],
  ])('is fetched after a challenge with %s', async (_, challenge) => {
    const { registry } = await guarded({ challenge });
    expect(await asker(registry.host)('repository:a:pull')).toBe(200);
  });

  test('is fetched for the scope of the challenge, and the request is sent again with it', async () => {
    const { registry, tokens } = await guarded();
    expect(await asker(registry.host, { userAgent: 'someone/1' })('repository:a/b:pull')).toBe(200);
    expect(registry.statuses).toStrictEqual([401, 200]);
    const [request] = tokens.seen;
    expect(request).toMatchObject({ method: 'GET', path: '/token' });
    expect([...(request?.query ?? [])]).toStrictEqual([
      ['service', 'registry'],
      ['scope', 'repository:a/b:pull'],
    ]);
    expect(request?.headers['user-agent']).toBe('someone/1');
    expect(request?.headers.authorization).toBeUndefined();
  });

  test('is preferred to Basic, also if that comes first: the registry never sees the password', async () => {
    const { registry, tokens } = await guarded({
      challenge: (needed, realm) => `Basic realm="x", Bearer realm="${realm}", scope="${needed}"`,
    });
    await asker(registry.host, { credentials: () => alice })('repository:a:pull');
    expect(registry.seen.map(({ headers }) => headers.authorization)).toStrictEqual([undefined, 'Bearer token-1']);
    expect(tokens.seen[0]?.headers.authorization).toBe(aliceBasic);
  });

  test('can be offered in a header of its own', async () => {
    const { registry } = await guarded({
      challenge: (needed, realm) => ['Negotiate', `Bearer realm="${realm}",scope="${needed}"`],
    });
    expect(await asker(registry.host)('repository:a:pull')).toBe(200);
  });

  test('is requested with the realm’s own query, one parameter for each scope, and no empty service', async () => {
    const { registry, tokens } = await guarded({
      challenge: (needed, realm) =>
        `Bearer realm="${realm}?account=x&y=1",service="",scope="repository:z:pull ${needed}"`,
    });
    await asker(registry.host)('repository:a:pull');
    expect([...(tokens.seen[0]?.query ?? [])]).toStrictEqual([
      ['account', 'x'],
      ['y', '1'],
      ['scope', 'repository:z:pull'],
      ['scope', 'repository:a:pull'],
    ]);
  });

  test('is fetched from a realm that is a path on the registry itself', async () => {
    const registry = opened(
      await listen((request, response) => {
        if (request.path === '/token') response.end('{"token":"t"}');
        else if (request.headers.authorization === 'Bearer t') response.end();
        else response.writeHead(401, { 'www-authenticate': 'Bearer realm="/token"' }).end();
      }),
    );
    expect(await asker(registry.host)('repository:a:pull')).toBe(200);
  });

  test('for more than the challenge names is asked for together with it', async () => {
    const { registry, tokens } = await guarded();
    const ask = asker(registry.host);
    await ask('repository:a:push,pull', { path: 'repository:a:pull' });
    await ask('repository:a:push');
    expect(tokens.seen.map(({ query }) => query.getAll('scope'))).toStrictEqual([['repository:a:pull,push']]);
    expect(registry.statuses).toStrictEqual([401, 200, 200]);
  });

  test('for less is fetched if the token server does not grant all of that', async () => {
    const { registry, tokens } = await guarded({
      refuse: (_, scope) => (scope.join(' ').includes('push') ? { status: 401 } : undefined),
    });
    const ask = asker(registry.host);
    await ask('repository:a:pull,push', { path: 'repository:a:pull' });
    expect(tokens.seen.map(({ query }) => query.get('scope'))).toStrictEqual([
      'repository:a:pull,push',
      'repository:a:pull',
    ]);
    await ask('repository:a:pull,push', { path: 'repository:a:pull' });
    expect(tokens.seen).toHaveLength(2);
    expect(registry.statuses).toStrictEqual([401, 200, 200]);
  });

  test('is used for everything that it is good for, and else fetched before the registry asks for one', async () => {
    const { registry, tokens } = await guarded();
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    await ask('repository:b:pull');
    expect(registry.statuses).toStrictEqual([401, 200, 200, 200]);
    expect(tokens.seen.map(({ query }) => query.get('scope'))).toStrictEqual([
      'repository:a:pull',
      'repository:b:pull',
    ]);
  });

  test('that its server refuses before the registry asks for one does no harm if none is needed', async () => {
    const { registry, tokens } = await guarded({
      refuse: (_, scope) => (scope.includes('repository:open:pull') ? { status: 403 } : undefined),
    });
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    expect(await failureOf(ask('repository:open:pull'))).toMatchObject({ status: 403 });
    expect(registry.statuses).toStrictEqual([401, 200, 401]);
    expect(tokens.seen).toHaveLength(3);
  });

  test('is fetched once for all requests that need it, also if they come at the same time', async () => {
    let waiting = 0;
    let goOn = (): void => undefined;
    const both = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const tokens = opened(
      await listen(async (request, response) => {
        waiting += 1;
        if (waiting === 2) goOn();
        await both;
        response.end(JSON.stringify({ token: request.query.get('scope') }));
      }),
    );
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/",scope="${needed}"`,
        (authorization, needed) => authorization === `Bearer ${needed}`,
      ),
    );
    const ask = asker(registry.host);
    const scopes = ['repository:a:pull', 'repository:b:pull'];
    await Promise.all(Array.from({ length: 12 }, (_, index) => ask(scopes[index % 2] ?? '')));
    expect(new Set(tokens.seen.map(({ query }) => query.get('scope')))).toStrictEqual(new Set(scopes));
    expect(tokens.seen).toHaveLength(2);
    expect(registry.statuses.filter((status) => status === 200)).toHaveLength(12);
  });

  test('that the registry no longer takes is forgotten and fetched anew, once', async () => {
    const { registry, tokens } = await guarded();
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    tokens.granted.delete('token-1');
    tokens.granted.set('a token of somebody else', []);
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    expect(registry.statuses).toStrictEqual([401, 200, 401, 200, 200, 200]);
    expect(tokens.seen).toHaveLength(2);
  });

  test('of a challenge without scope is good for what was asked', async () => {
    const tokens = opened(await startTokenServer());
    const registry = opened(
      await startGuardedRegistry(
        () => `Bearer realm="${tokens.origin}/token"`,
        (authorization = '') => tokens.granted.has(authorization.replace('Bearer ', '')),
      ),
    );
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    expect(registry.statuses).toStrictEqual([401, 200, 200, 200]);
    expect(tokens.seen).toHaveLength(1);
  });

  test('that was just fetched and is refused is not fetched again: the answer is the caller’s', async () => {
    const tokens = opened(await startTokenServer());
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"`,
        () => false,
      ),
    );
    const error = await failureOf(asker(registry.host)('repository:a:pull'));
    expect(error).toMatchObject({ status: 401, errors: [{ message: 'who are you?' }] });
    expect(registry.statuses).toStrictEqual([401, 401]);
    expect(tokens.seen).toHaveLength(1);
  });

  test('of a known caller, just fetched and refused, is a denial, and the granted scope can be seen', async () => {
    const claims = Buffer.from(JSON.stringify({ access: [{ type: 'repository', name: 'a', actions: ['pull'] }] }));
    const tokens = opened(
      await startTokenServer({ answer: () => ({ token: `e30.${claims.toString('base64url')}.c2ln` }) }),
    );
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"`,
        () => false,
      ),
    );
    const ask = asker(registry.host, { credentials: () => alice });
    const error = await failureOf(ask('repository:a:pull,push'));
    expect(error).toMatchObject({ code: 'DENIED', status: 401, name: 'HttpError' });
    expect(explain(error)?.tokenRequests).toMatchObject([
      { scope: ['repository:a:pull,push'], granted: ['repository:a:pull'] },
    ]);
    expect(String(explain(error))).toContain('was granted the scope repository:a:pull');
    expect(tokens.seen).toHaveLength(1);
  });

  test.each([
    [{ token: 'opaque', scope: 'repository:a:pull repository:b:pull' }, ['repository:a:pull', 'repository:b:pull']],
    [{ token: 'opaque' }, undefined],
    [{ token: 'e30.W10.c2ln' }, undefined],
    [{ token: 'e30.!.c2ln' }, undefined],
  ])('that a server gives out as %j is explained as good for %j', async (answer, granted) => {
    const tokens = opened(await startTokenServer({ answer: () => answer }));
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"`,
        () => false,
      ),
    );
    const error = await failureOf(asker(registry.host)('repository:a:pull'));
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', status: 401 });
    expect(explain(error)?.tokenRequests.map((request) => request.granted)).toEqual([granted]);
  });

  test('is not fetched for ever by a registry that always wants another one', async () => {
    const tokens = opened(await startTokenServer());
    let wanted = 0;
    const registry = opened(
      await startGuardedRegistry(
        () => `Bearer realm="${tokens.origin}/token",scope="repository:a:${'x'.repeat((wanted += 1))}"`,
        () => false,
      ),
    );
    expect(await failureOf(asker(registry.host)('repository:a:pull'))).toMatchObject({ status: 401 });
    expect(registry.seen.length).toBeLessThanOrEqual(4);
  });

  test('is not fetched for ever, even if the transport does not count', async () => {
    const tokens = opened(await startTokenServer());
    const { origin } = tokens;
    const authenticator = createAuthenticator({
      origin,
      fetch,
      credentials: undefined,
      userAgent: undefined,
      trustedRealms: [],
    });
    let sent: Authorization | undefined;
    let count = 0;
    do {
      const challenge = `Bearer realm="${origin}/token",scope="repository:a:${'x'.repeat((count += 1))}"`;
      const next = await authenticator.reauthorize([challenge], [], sent, undefined);
      sent = typeof next === 'object' && 'header' in next ? next : undefined;
    } while (sent !== undefined && count < 50);
    expect(count).toBe(4);
    expect(tokens.seen).toHaveLength(3);
  });

  test('is not shown by the objects that hold it', async () => {
    const tokens = opened(await startTokenServer());
    const { origin } = tokens;
    const authenticator = createAuthenticator({
      origin,
      fetch,
      credentials: () => alice,
      userAgent: undefined,
      trustedRealms: [],
    });
    const sent = await authenticator.reauthorize([`Bearer realm="${origin}/token"`], [], undefined, undefined);
    expect(sent).toHaveProperty('header', 'Bearer token-1');
    expect(`${inspect(sent, { depth: 9 })} ${JSON.stringify(sent)}`).not.toMatch(/token-1|wörd/);
  });

  test('that allows too little is changed for one that allows more, also where the registry no longer says where from', async () => {
    const tokens = opened(await startTokenServer());
    const registry = opened(
      await listen((request, response) => {
        const scope = tokens.granted.get((request.headers.authorization ?? '').replace('Bearer ', ''));
        if (scope === undefined) {
          response
            .writeHead(401, { 'www-authenticate': `Bearer realm="${tokens.origin}/token",scope="repository:a:pull"` })
            .end();
        } else if (scope.join(' ').includes('*')) response.end();
        else {
          response
            .writeHead(403, { 'www-authenticate': 'Bearer error="insufficient_scope",scope="repository:a:*"' })
            .end();
        }
      }),
    );
    const ask = asker(registry.host);
    expect(await ask('repository:a:delete')).toBe(200);
    expect(await ask('repository:a:delete')).toBe(200);
    expect(tokens.seen).toHaveLength(2);
    expect(registry.seen).toHaveLength(4);
  });

  test('is used until shortly before it expires', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { registry, tokens } = await guarded({ answer: (token) => ({ token, expires_in: 300 }) });
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    vi.advanceTimersByTime(285_000);
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(2);
    expect(registry.statuses).toStrictEqual([401, 200, 200, 200]);
  });

  test.each<[string, object]>([
    ['nothing', {}],
    ['0', { expires_in: 0 }],
    ['less than nothing', { expires_in: -5 }],
    ['a word', { expires_in: 'soon' }],
  ])('whose life is given as %s lives for a minute', async (_, life) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { registry, tokens } = await guarded({ answer: (token) => ({ token, ...life }) });
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    vi.advanceTimersByTime(50_000);
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(2);
  });

  test('that is no longer young when it comes lives for what is left, by the clock of its server', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(new Date('2030-01-01T00:00:00Z'));
    const tokens = opened(
      await listen((_, response) => {
        // This clock is four years late.
        response.setHeader('date', 'Thu, 01 Jan 2026 00:04:00 GMT');
        response.end('{"token":"t","expires_in":"300","issued_at":"2026-01-01T00:00:00Z"}');
      }),
    );
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/",scope="${needed}"`,
        (authorization) => authorization === 'Bearer t',
      ),
    );
    const ask = asker(registry.host);
    await ask('repository:a:pull');
    vi.advanceTimersByTime(45_000);
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(2);
  });

  test('that the caller has is sent at once, for everything', async () => {
    const registry = opened(
      await startGuardedRegistry(
        () => 'Bearer realm="http://127.0.0.1:1/"',
        (authorization) => authorization === 'Bearer secret-token',
      ),
    );
    const ask = asker(registry.host, { credentials: () => ({ accessToken: 'secret-token' }) });
    await ask('repository:a:pull');
    await ask('registry:catalog:*');
    expect(registry.statuses).toStrictEqual([200, 200]);
  });

  test('that the caller has and the registry refuses is not changed for another', async () => {
    const { registry, tokens } = await guarded();
    const ask = asker(registry.host, { credentials: () => ({ accessToken: 'secret-token' }) });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ status: 401 });
    expect(shown(error)).not.toContain('secret-token');
    expect([registry.statuses, tokens.seen]).toStrictEqual([[401], []]);
  });

  test('that no header can have is not sent, nor shown', async () => {
    const { registry } = await guarded();
    const ask = asker(registry.host, { credentials: () => ({ accessToken: 'secret-token\n' }) });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(shown(error)).not.toContain('secret-token');
    expect(registry.seen).toHaveLength(0);
  });

  test('is another one for a repository with credentials of its own', async () => {
    const { registry, tokens } = await guarded();
    const asked: [string, string | undefined][] = [];
    const ask = asker(registry.host, {
      credentials: (host, repository) => {
        asked.push([host, repository]);
        return repository === 'b' ? { username: 'bob', password: 'b' } : alice;
      },
    });
    await ask('repository:a:pull');
    await ask('repository:b:pull');
    await ask('repository:a:pull');
    expect(asked).toStrictEqual([
      [registry.host, 'a'],
      [registry.host, 'b'],
    ]);
    expect(tokens.seen.map(({ headers }) => headers.authorization)).toStrictEqual([
      aliceBasic,
      `Basic ${Buffer.from('bob:b').toString('base64')}`,
    ]);
  });
});

describe('a source of credentials', () => {
  test('is asked again when a token server refuses what it gave a minute ago', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    let valid = aliceBasic;
    const { registry, tokens } = await guarded({
      refuse: ({ headers }) => (headers.authorization === valid ? undefined : { status: 401 }),
    });
    let current = alice;
    const ask = asker(registry.host, { credentials: () => current });
    await ask('repository:a:pull');
    current = { username: 'alice', password: 'new' };
    valid = `Basic ${Buffer.from('alice:new').toString('base64')}`;
    vi.advanceTimersByTime(600_000);
    expect(await ask('repository:a:pull')).toBe(200);
    expect(await ask('repository:a:push')).toBe(200);
    expect(tokens.granted.size).toBe(3);
  });

  test('that has nothing does not make a registry that takes only passwords be asked twice', async () => {
    const registry = await guardedByPassword();
    const ask = asker(registry.host, { credentials: () => undefined });
    await failureOf(ask('repository:a:pull'));
    await failureOf(ask('repository:a:pull'));
    expect(registry.statuses).toStrictEqual([401, 401]);
  });

  test('that fails is asked again by the next call, and is the cause of the error', async () => {
    const registry = await guardedByPassword();
    const locked = new Error('the keychain is locked');
    const credentials = vi.fn<() => Credential>(() => {
      throw locked;
    });
    const ask = asker(registry.host, { credentials });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({
      code: 'UNAUTHORIZED',
      status: 401,
      message: expect.stringContaining(`the credentials for ${registry.host} could not be obtained`) as unknown,
      cause: locked,
    });
    credentials.mockReturnValue(alice);
    expect(await ask('repository:a:pull')).toBe(200);
  });

  test('that fails is no reason not to read what is public, also with a token', async () => {
    const credentials = (): never => {
      throw new Error('the keychain is locked');
    };
    const free = opened(
      await startGuardedRegistry(
        () => 'Basic realm="x"',
        () => true,
      ),
    );
    expect(await asker(free.host, { credentials })('repository:a:pull')).toBe(200);
    const { registry, tokens } = await guarded();
    expect(await asker(registry.host, { credentials })('repository:a:pull')).toBe(200);
    expect(tokens.seen[0]?.headers.authorization).toBeUndefined();
  });

  test('is asked once for all requests about a repository, also if they come at the same time', async () => {
    const registry = await guardedByPassword();
    const credentials = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return alice;
    });
    const ask = asker(registry.host, { credentials });
    await Promise.all([ask('repository:a:pull'), ask('repository:a:pull'), ask('repository:a:push')]);
    expect(credentials).toHaveBeenCalledTimes(1);
  });
});

describe('a call that is aborted', () => {
  let tokens: LoopbackServer;
  let registry: GuardedRegistry;
  let release = (): void => undefined;
  const aborted: boolean[] = [];

  beforeEach(async () => {
    aborted.length = 0;
    tokens = opened(
      await listen(async (_, response) => {
        response.on('close', () => aborted.push(!response.writableEnded));
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        response.end('{"token":"t"}');
      }),
    );
    registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/",scope="${needed}"`,
        (authorization) => authorization === 'Bearer t',
      ),
    );
  });

  test('does not take the token from other callers that wait for it', async () => {
    const ask = asker(registry.host);
    const leaving = new AbortController();
    const left = failureOf(ask('repository:a:pull', { signal: leaving.signal }));
    const staying = ask('repository:a:pull', { signal: new AbortController().signal });
    await eventually(() => expect(tokens.seen).toHaveLength(1));
    await eventually(() => expect(registry.seen).toHaveLength(2));
    await new Promise((resolve) => setTimeout(resolve, 50));
    leaving.abort(new Error('enough'));
    expect(await left).toMatchObject({ message: 'enough' });
    release();
    expect(await staying).toBe(200);
    expect(tokens.seen).toHaveLength(1);
  });

  test('ends the token request if no other caller waits for it', async () => {
    const leaving = new AbortController();
    const left = failureOf(asker(registry.host)('repository:a:pull', { signal: leaving.signal }));
    await eventually(() => expect(tokens.seen).toHaveLength(1));
    leaving.abort();
    expect(await left).toMatchObject({ name: 'AbortError' });
    await eventually(() => expect(aborted).toStrictEqual([true]));
    release();
  });
});

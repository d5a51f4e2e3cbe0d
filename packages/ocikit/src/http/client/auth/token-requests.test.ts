import { createServer } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { asker, failureOf, shown } from '../../../../test/ask.ts';
import type { Ask } from '../../../../test/ask.ts';
import { listen, startGuardedRegistry, startTokenServer } from '../../../../test/token-server.ts';
import type {
  GuardedRegistry,
  LoopbackServer,
  SeenRequest,
  TokenServerOptions,
} from '../../../../test/token-server.ts';
import type { ClientOptions } from '../shared/index.ts';

const open: { close(): void }[] = [];

afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

function opened<T extends { close(): void }>(server: T): T {
  open.push(server);
  return server;
}

const password = 'hunter"2+ü/=';
const alice = { username: 'alice', password };
const pair = Buffer.from(`alice:${password}`).toString('base64');
const identity = { refreshToken: 'refresh"0+/=', username: '00000000-0000-0000-0000-000000000000' };
const secrets = [
  password,
  'hunter',
  pair,
  encodeURIComponent(password),
  identity.refreshToken,
  'refresh"0',
  encodeURIComponent(identity.refreshToken),
  'granted-secret',
];

function expectNoSecret(error: unknown): void {
  const all = shown(error);
  for (const secret of secrets) expect(all).not.toContain(secret);
}

/** A registry that takes any of the tokens that a real token server with these options has granted. */
async function guarded(
  options: TokenServerOptions,
  client: Partial<ClientOptions> = {},
): Promise<{ ask: Ask; seen: SeenRequest[]; registry: GuardedRegistry; origin: string }> {
  const tokens = opened(await startTokenServer(options));
  const registry = opened(
    await startGuardedRegistry(
      (needed) => `Bearer realm="${tokens.origin}/token?key=realm-secret",service="registry",scope="${needed}"`,
      (authorization = '') => tokens.granted.has(authorization.replace('Bearer ', '')),
    ),
  );
  return { ask: asker(registry.host, client), seen: tokens.seen, registry, origin: tokens.origin };
}

/** A registry that takes no token but this, with a token server that answers as it is told. */
async function answeredBy(
  answer: Parameters<typeof listen>[0],
  client: Partial<ClientOptions> = {},
): Promise<{ ask: Ask; tokens: LoopbackServer; registry: GuardedRegistry }> {
  const tokens = opened(await listen(answer));
  const registry = opened(
    await startGuardedRegistry(
      (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"`,
      (authorization) => authorization === 'Bearer granted-secret',
    ),
  );
  return { ask: asker(registry.host, client), tokens, registry };
}

function form({ body }: SeenRequest): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(body));
}

describe('a password', () => {
  test('goes to the token server by Basic', async () => {
    const { ask, seen } = await guarded({}, { credentials: () => alice });
    await ask('repository:a:pull');
    expect(seen).toMatchObject([{ method: 'GET', headers: { authorization: `Basic ${pair}` }, body: '' }]);
  });

  test.each([404, 405])('goes by POST if GET is answered %i', async (status) => {
    const refuse = ({ method }: SeenRequest) => (method === 'GET' ? { status } : undefined);
    const { ask, seen } = await guarded({ refuse }, { credentials: () => alice });
    await ask('repository:a:pull repository:b:pull');
    expect(seen).toHaveLength(2);
    expect(seen[1]?.headers).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded' });
    expect(seen.slice(1).map(form)).toStrictEqual([
      {
        grant_type: 'password',
        username: 'alice',
        password,
        client_id: 'ocikit',
        service: 'registry',
        scope: 'repository:a:pull repository:b:pull',
      },
    ]);
    expect(seen[1]?.headers.authorization).toBeUndefined();
  });

  test('that is wrong is tried once, and the caller gets the token server’s answer, without the password', async () => {
    const body = JSON.stringify({
      details: 'incorrect username or password',
      errors: [{ code: 'UNAUTHORIZED', message: `no ${password} ${pair}`, detail: encodeURIComponent(password) }],
    });
    const { ask, seen, registry } = await guarded(
      { refuse: () => ({ status: 401, body }) },
      { credentials: () => alice },
    );
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ status: 401, code: 'UNAUTHORIZED', method: 'GET', errors: [{ message: 'no … …' }] });
    expectNoSecret(error);
    expect(error).toHaveProperty('url', expect.stringContaining('key=redacted'));
    expect(shown(error)).toContain('incorrect username or password');
    expect([seen.length, registry.seen.length]).toStrictEqual([1, 1]);
  });
});

test.each([
  [401, '{"details":"incorrect username or password"}', 'UNAUTHORIZED', /incorrect username or password/],
  [400, '{"error":"invalid_grant","error_description":"it has expired"}', 'UNAUTHORIZED', /it has expired/],
  [403, '{"error":"not you"}', 'DENIED', /not you/],
  [401, '{"errors":[{"code":"DENIED","message":"go away"}],"details":"x"}', 'DENIED', /go away/],
  [401, 'no', 'UNAUTHORIZED', /answered 401$/],
  [418, '{"details":7}', 'UNKNOWN', /answered 418$/],
])('a refusal says why, in whichever form it comes: %i %s', async (status, body, code, message) => {
  const refuse = ({ method }: SeenRequest) => (method === 'POST' ? { status, body } : { status: 405 });
  const { ask } = await guarded({ refuse }, { credentials: () => alice });
  const error = await failureOf(ask('repository:a:pull'));
  expect(error).toMatchObject({ status, code, method: 'POST', message: expect.stringMatching(message) as unknown });
});

describe('a refresh token', () => {
  test('goes to the token server by POST', async () => {
    const { ask, seen, registry } = await guarded({}, { credentials: () => identity });
    expect(await ask('repository:a:pull')).toBe(200);
    expect(seen).toHaveLength(1);
    expect(seen).toMatchObject([{ method: 'POST', path: '/token' }]);
    expect(seen[0]?.query.get('key')).toBe('realm-secret');
    expect(seen.map(form)).toStrictEqual([
      {
        grant_type: 'refresh_token',
        refresh_token: identity.refreshToken,
        client_id: 'ocikit',
        service: 'registry',
        scope: 'repository:a:pull',
      },
    ]);
    expect(JSON.stringify(registry.seen)).not.toContain('refresh');
  });

  test.each([404, 405])('is of no use if POST is answered %i: an anonymous token is requested', async (status) => {
    const refuse = ({ method }: SeenRequest) => (method === 'POST' ? { status } : undefined);
    const { ask, seen } = await guarded({ refuse }, { credentials: () => identity });
    expect(await ask('repository:a:pull')).toBe(200);
    expect(seen.map(({ method, headers }) => [method, headers.authorization])).toStrictEqual([
      ['POST', undefined],
      ['GET', undefined],
    ]);
  });

  test('that is refused is not tried in another way, nor shown', async () => {
    const refuse = ({ body }: SeenRequest) => ({
      status: 400,
      body: JSON.stringify({ error: 'invalid_grant', sent: body, plain: form({ body } as SeenRequest) }),
    });
    const { ask, seen } = await guarded({ refuse }, { credentials: () => identity });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ status: 400, code: 'UNAUTHORIZED', method: 'POST' });
    expect(String(error)).toContain('was answered 400 (UNAUTHORIZED: invalid_grant)');
    expectNoSecret(error);
    expect(seen).toHaveLength(1);
  });

  test('that the token server gives out takes the place of the one before, one after the other', async () => {
    let valid = identity.refreshToken;
    let underWay = 0;
    let most = 0;
    const tokens = opened(
      await listen(async (request, response) => {
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise((resolve) => setTimeout(resolve, 10));
        underWay -= 1;
        // A refresh token is good only once: a client that uses one twice is taken for a thief.
        if (form(request)['refresh_token'] !== valid) {
          valid = 'none';
          response.writeHead(400).end();
          return;
        }
        valid = `rotated-${tokens.seen.length}`;
        response.end(JSON.stringify({ access_token: 'granted-secret', refresh_token: valid }));
      }),
    );
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"`,
        (authorization) => authorization === 'Bearer granted-secret',
      ),
    );
    const ask = asker(registry.host, { credentials: () => identity });
    const asked = ['a', 'b', 'c', 'd'].map((name) => ask(`repository:${name}:pull`));
    expect(await Promise.all(asked)).toStrictEqual([200, 200, 200, 200]);
    expect(most).toBe(1);
    expect(tokens.seen.map((request) => form(request)['refresh_token'])).toStrictEqual([
      identity.refreshToken,
      'rotated-1',
      'rotated-2',
      'rotated-3',
    ]);
  });

  test('that is given out for a password is used in its place, and the password again when it is refused', async () => {
    let valid = true;
    const refuse = ({ method }: SeenRequest) => (method === 'POST' && !valid ? { status: 401 } : undefined);
    const answer = (token: string) => ({ token, refresh_token: `for-${token}` });
    const { ask, seen } = await guarded({ refuse, answer }, { credentials: () => alice });
    await ask('repository:a:pull');
    await ask('repository:b:pull');
    valid = false;
    await ask('repository:c:pull');
    expect(seen.map((request) => [request.method, form(request)['refresh_token']])).toStrictEqual([
      ['GET', undefined],
      ['POST', 'for-token-1'],
      ['POST', 'for-token-2'],
      ['GET', undefined],
    ]);
  });

  test('that is given out by a server that takes none back is tried once', async () => {
    const refuse = ({ method }: SeenRequest) => (method === 'POST' ? { status: 405 } : undefined);
    const answer = (token: string) => ({ token, refresh_token: `for-${token}` });
    const { ask, seen } = await guarded({ refuse, answer }, { credentials: () => alice });
    for (const name of ['a', 'b', 'c', 'd']) await ask(`repository:${name}:pull`);
    expect(seen.map(({ method }) => method)).toStrictEqual(['GET', 'POST', 'GET', 'GET', 'GET']);
  });

  test('that one token server gave out is never sent to another', async () => {
    const answer = (token: string) => ({ token, refresh_token: 'of-one' });
    const one = opened(await startTokenServer({ answer }));
    const other = opened(await startTokenServer());
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${needed.includes(':a:') ? one.origin : other.origin}/token",scope="${needed}"`,
        (authorization = '', needed) =>
          (needed.includes(':a:') ? one : other).granted.has(authorization.replace('Bearer ', '')),
      ),
    );
    const ask = asker(registry.host, { credentials: () => alice });
    await ask('repository:a:pull');
    await ask('repository:b:pull');
    await ask('repository:c:pull');
    expect(other.seen.length).toBeGreaterThan(0);
    expect(JSON.stringify(other.seen.map(({ headers, body, query }) => [headers, body, [...query]]))).not.toContain(
      'of-one',
    );
  });
});

describe('the answer of a token server', () => {
  test.each([
    '{"token":"granted-secret"}',
    '{"access_token":"granted-secret"}',
    '{"token":"granted-secret","access_token":"other"}',
    '{"token":"","access_token":"granted-secret"}',
    '{"token":"granted-secret\\n"}',
    '\ufeff{"token":"granted-secret","expires_in":null,"issued_at":7}',
  ])('%s has a token in it', async (body) => {
    const { ask } = await answeredBy((_, response) => response.end(body));
    expect(await ask('repository:a:pull')).toBe(200);
  });

  test.each([
    '0001-01-01T00:00:00Z',
    '1970-01-01T00:00:00Z',
    new Date(Date.now() - 7_200_000).toISOString(),
    // Seconds before its end, at which tokens are no longer used.
    new Date(Date.now() - 295_000).toISOString(),
  ])('issued at %s, which cannot be, is used for as long as it says', async (issuedAt) => {
    const { ask, tokens } = await answeredBy((_, response) =>
      response.end(JSON.stringify({ token: 'granted-secret', expires_in: 300, issued_at: issuedAt })),
    );
    await ask('repository:a:pull');
    await ask('repository:a:pull');
    expect(tokens.seen).toHaveLength(1);
  });

  test.each([
    '',
    '{}',
    'null',
    '"granted-secret"',
    '[{"token":"granted-secret"}]',
    '{"token":7}',
    '{"token":"granted-secret',
    'granted-secret',
    String.raw`{"token":"granted-secret\r\nx-evil: 1"}`,
    String.raw`{"token":"granted-secret ü"}`,
  ])('%s has none: the error says so once, and quotes nothing', async (body) => {
    const { ask, tokens, registry } = await answeredBy((_, response) => response.end(body));
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({
      code: 'UNAUTHORIZED',
      message: `the token server at ${tokens.origin}/token?scope=repository%3Aa%3Apull sent no token`,
    });
    expectNoSecret(error);
    expect([tokens.seen.length, registry.seen.length]).toStrictEqual([1, 1]);
  });

  test('is not read beyond 1 MiB, whatever it says of its length', async () => {
    let sent = 0;
    const { ask, tokens } = await answeredBy(async (_, response) => {
      const piece = `${' '.repeat(64 * 1024 - 1)}\n`;
      for (let count = 0; count < 1000 && !response.destroyed; count++) {
        sent += piece.length;
        if (!response.write(piece)) {
          await new Promise<void>((resolve) => {
            const goOn = (): void => {
              response.off('drain', goOn).off('close', goOn);
              resolve();
            };
            response.on('drain', goOn).on('close', goOn);
          });
        }
      }
      response.end('{"token":"granted-secret"}');
    });
    expect(await failureOf(ask('repository:a:pull'))).toMatchObject({ code: 'CONTENT_TOO_LARGE' });
    expect(tokens.seen).toHaveLength(1);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test.each([429])('%i tells what the token server says, and when to come again', async (status) => {
    const { ask } = await answeredBy((_, response) =>
      response.writeHead(status, { 'retry-after': '3600' }).end('{"details":"too many logins"}'),
    );
    expect(await failureOf(ask('repository:a:pull'))).toMatchObject({
      code: 'TOOMANYREQUESTS',
      retryAfter: 3600,
      message: expect.stringContaining('too many logins') as unknown,
    });
  });

  test.each([408, 429, 500, 502, 503, 504])('%i is not final', async (status) => {
    const told: unknown[] = [];
    const { ask, tokens, registry } = await answeredBy(
      (_, response) => {
        if (tokens.seen.length < 3) response.writeHead(status).end();
        else response.end('{"token":"granted-secret"}');
      },
      { onRetry: (error) => told.push(error) },
    );
    expect(await ask('repository:a:pull')).toBe(200);
    expect(registry.seen).toHaveLength(2);
    expect(told).toMatchObject([{ status }, { status }]);
  });

  test.each([400, 403, 418, 501])('%i is final', async (status) => {
    const { ask, tokens } = await answeredBy((_, response) => response.writeHead(status).end());
    expect(await failureOf(ask('repository:a:pull'))).toMatchObject({ status });
    expect(tokens.seen).toHaveLength(1);
  });

  test('that names a time to come back is followed', async () => {
    const delays: number[] = [];
    const { ask } = await answeredBy(
      (_, response) => {
        if (delays.length === 0) response.writeHead(429, { 'retry-after': '1' }).end();
        else response.end('{"token":"granted-secret"}');
      },
      { onRetry: (_, delay) => delays.push(delay) },
    );
    expect(await ask('repository:a:pull')).toBe(200);
    expect(delays).toStrictEqual([1000]);
  });

  test('that is cut in its middle, or never comes, is asked for again', async () => {
    const { ask, tokens } = await answeredBy((_, response) => {
      if (tokens.seen.length === 1) response.destroy();
      else if (tokens.seen.length === 2) {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"token":"granted-secret"', () => response.destroy());
      } else response.end('{"token":"granted-secret"}');
    });
    expect(await ask('repository:a:pull')).toBe(200);
    expect(tokens.seen).toHaveLength(3);
  });

  test('that never comes at all ends the call when it has been tried often enough', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => gone.once('listening', resolve));
    const address = gone.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await new Promise((resolve) => gone.close(resolve));
    const registry = opened(
      await startGuardedRegistry(
        () => `Bearer realm="http://127.0.0.1:${port}/token"`,
        () => false,
      ),
    );
    const retries: number[] = [];
    const ask = asker(registry.host, {
      credentials: () => alice,
      backOff: { attempts: 3, first: 1 },
      onRetry: (_, delay) => retries.push(delay),
    });
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expectNoSecret(error);
    expect(retries).toHaveLength(2);
    expect(registry.seen).toHaveLength(1);
  });
});

describe('stored secrets', () => {
  /** A registry at 127.0.0.1 whose token server is at 127.0.0.2: not the same host, so not the same owner. */
  async function foreign(options: TokenServerOptions, client: (origin: string) => Partial<ClientOptions>, also = '') {
    const tokens = opened(await startTokenServer({ address: '127.0.0.2', ...options }));
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"${also}`,
        (authorization = '') =>
          authorization === `Basic ${pair}` || tokens.granted.has(authorization.replace('Bearer ', '')),
      ),
    );
    return { ask: asker(registry.host, client(tokens.origin)), tokens, registry };
  }

  test.each([
    ['a password', alice],
    ['a refresh token', identity],
  ])(
    'such as %s do not go to a token server of another host, which is asked for an anonymous token',
    async (_, credential) => {
      const { ask, tokens } = await foreign({}, () => ({ credentials: () => credential }));
      expect(await ask('repository:a:pull')).toBe(200);
      expect(tokens.seen).toMatchObject([{ method: 'GET', body: '' }]);
      expect(tokens.seen[0]?.headers.authorization).toBeUndefined();
    },
  );

  test('go to the token server if the caller trusts it', async () => {
    const { ask, tokens } = await foreign({}, (origin) => ({ credentials: () => alice, trustedRealms: [origin] }));
    expect(await ask('repository:a:pull')).toBe(200);
    expect(tokens.seen).toMatchObject([{ headers: { authorization: `Basic ${pair}` } }]);
  });

  test('do not go to a foreign token server, and if an anonymous token is refused the error says what to do', async () => {
    const { ask, tokens } = await foreign({ refuse: () => ({ status: 401 }) }, () => ({ credentials: () => alice }));
    const error = await failureOf(ask('repository:a:pull'));
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', cause: { status: 401 } });
    expect(String(error)).toContain(`${tokens.origin} was not given the stored credentials`);
    expect(String(error)).toContain('trustedRealms');
    expectNoSecret(error);
  });

  test('do not go to a foreign token server, and if an anonymous token is not enough the error says what to do', async () => {
    const tokens = opened(await startTokenServer({ address: '127.0.0.2' }));
    const registry = opened(
      await startGuardedRegistry(
        (needed) => `Bearer realm="${tokens.origin}/token",scope="${needed}"`,
        () => false,
      ),
    );
    const error = await failureOf(asker(registry.host, { credentials: () => alice })('repository:a:pull'));
    expect(String(error)).toContain('trustedRealms');
    expect(registry.statuses).toStrictEqual([401, 401]);
  });

  test('do not go to a foreign token server, but by Basic to the registry itself if that takes them', async () => {
    const { ask, tokens } = await foreign({}, () => ({ credentials: () => alice }), ', Basic realm="x"');
    expect(await ask('repository:a:pull')).toBe(200);
    expect(tokens.seen).toHaveLength(0);
  });

  test('do not follow a token server to another host, nor back again', async () => {
    const elsewhere = opened(
      await listen((request, response) => {
        response.writeHead(302, { location: `${request.query.get('back')}/end` }).end();
      }, '127.0.0.2'),
    );
    const { ask, tokens } = await answeredBy(
      (request, response) => {
        if (request.path === '/token') {
          response.writeHead(307, { location: `${elsewhere.origin}/?back=${tokens.origin}` }).end();
        } else response.end('{"token":"granted-secret"}');
      },
      { credentials: () => alice },
    );
    expect(await ask('repository:a:pull')).toBe(200);
    expect(tokens.seen.map(({ path, headers }) => [path, headers.authorization])).toStrictEqual([
      ['/token', `Basic ${pair}`],
      ['/end', undefined],
    ]);
    expect(elsewhere.seen.map(({ headers }) => headers.authorization)).toStrictEqual([undefined]);
  });

  test('follow a token server on its own host', async () => {
    const { ask, tokens } = await answeredBy(
      (request, response) => {
        if (request.path === '/token') response.writeHead(301, { location: '/elsewhere' }).end();
        else response.end('{"token":"granted-secret"}');
      },
      { credentials: () => alice },
    );
    expect(await ask('repository:a:pull')).toBe(200);
    expect(tokens.seen[1]).toMatchObject({ path: '/elsewhere', headers: { authorization: `Basic ${pair}` } });
  });

  test.each(['/token', 'ftp://127.0.0.1/', 'https://user:pass@127.0.0.1/', 'http://['])(
    'are in no error when a token server redirects to %s',
    async (location) => {
      const { ask, tokens } = await answeredBy((_, response) => response.writeHead(302, { location }).end(), {
        credentials: () => alice,
      });
      const error = await failureOf(ask('repository:a:pull'));
      expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
      expectNoSecret(error);
      expect(tokens.seen.length).toBeLessThanOrEqual(6);
    },
  );

  test('in a form do not follow a redirect', async () => {
    const { ask, tokens } = await answeredBy(
      (request, response) => {
        if (request.path === '/token') response.writeHead(307, { location: '/elsewhere' }).end();
        else response.end('{"token":"granted-secret"}');
      },
      { credentials: () => identity },
    );
    expect(await failureOf(ask('repository:a:pull'))).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(tokens.seen).toHaveLength(1);
  });

  test('and tokens do not follow a registry’s redirect to another host, whatever that asks for', async () => {
    const tokens = opened(await startTokenServer());
    const thief = opened(
      await listen((_, response) => {
        response
          .writeHead(401, { 'www-authenticate': `Basic realm="x", Bearer realm="http://${thief.host}/token"` })
          .end();
      }, '127.0.0.2'),
    );
    const registry = opened(
      await listen((request, response) => {
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${tokens.origin}/token"` }).end();
        } else response.writeHead(307, { location: `${thief.origin}/blob` }).end();
      }),
    );
    const error = await failureOf(asker(registry.host, { credentials: () => alice })('repository:a:pull'));
    expect(error).toMatchObject({ status: 401 });
    expect(thief.seen.map(({ path, headers }) => [path, headers.authorization])).toStrictEqual([['/blob', undefined]]);
    expectNoSecret(error);
  });
});

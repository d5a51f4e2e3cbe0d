import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';

import { oidcIssuer } from './index.ts';
import type { FetchJson, OidcIssuerOptions } from './index.ts';

const issuer = 'https://gitlab.example';
const audience = 'registry.example';

type Payload = Record<string, unknown>;
const start = Date.parse('2026-01-01T00:00:00Z');

/** An issuer whose answers and keys the test changes. */
class TestIssuer {
  now = start;
  readonly asked: string[] = [];
  readonly headers: (string | null)[] = [];
  answer: ((url: string) => Response | Promise<Response>) | undefined;
  #keys: { kid: string | undefined; alg: string; privateKey: CryptoKey; jwk: object }[] = [];

  async addKey(kid: string | undefined, alg = 'ES256'): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid !== undefined && { kid }) };
    this.#keys = [...this.#keys, { kid, alg, privateKey, jwk }];
  }

  removeKeys(): void {
    this.#keys = [];
  }

  readonly fetch: FetchJson = async (url, init) => {
    this.asked.push(url.replace(issuer, ''));
    this.headers.push(new Headers(init.headers).get('authorization'));
    if (this.answer !== undefined) return this.answer(url);
    if (url.endsWith('/.well-known/openid-configuration')) {
      return Response.json({ issuer, jwks_uri: `${issuer}/keys` });
    }
    return Response.json({ keys: [{ kty: 'unheard-of' }, ...this.#keys.map(({ jwk }) => jwk)] });
  };

  async sign(payload: Payload = {}, header: { kid?: string } = {}): Promise<string> {
    const key = this.#keys.at(-1);
    if (key === undefined) throw new Error('the issuer has no key');
    const iat = Math.floor(this.now / 1000);
    const { kid, alg, privateKey } = key;
    return new SignJWT({ iss: issuer, aud: audience, sub: 'job:7', iat, exp: iat + 300, ...payload })
      .setProtectedHeader({ alg, ...(kid !== undefined && { kid }), ...header })
      .sign(privateKey);
  }

  check(options: Partial<OidcIssuerOptions> = {}): ReturnType<typeof oidcIssuer> {
    return oidcIssuer({ name: 'gitlab', issuer, audience, fetch: this.fetch, now: () => this.now, ...options });
  }
}

async function withKey(alg?: string): Promise<TestIssuer> {
  const made = new TestIssuer();
  await made.addKey('one', alg);
  return made;
}

describe('a token of an issuer', () => {
  test.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('signed with %s proves its user', async (alg) => {
    const gitlab = await withKey(alg);
    const identity = await gitlab.check().identify(await gitlab.sign({ project: 'team/app' }));
    expect(identity).toMatchObject({ user: 'gitlab:job:7', groups: [], expires: start + 300_000 });
    expect(identity?.claims).toMatchObject({ iss: issuer, project: 'team/app' });
    expect(identity?.scopes).toBeUndefined();
  });

  test('has the user and the groups that its claims name', async () => {
    const gitlab = await withKey();
    const check = gitlab.check({
      user: ({ project }) => (typeof project === 'string' ? project : undefined),
      groups: ({ roles }) => (Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : []),
    });
    const token = await gitlab.sign({ project: 'team/app', roles: ['dev', 7, '', 'a\nb'] });
    expect(await check.identify(token)).toMatchObject({ user: 'gitlab:team/app', groups: ['gitlab:dev'] });
    for (const project of [undefined, 7, '', 'x'.repeat(513), 'a\u0000b']) {
      await expect(check.identify(await gitlab.sign({ project }))).rejects.toThrow(/names no user/);
    }
  });

  test('of a token service is limited to its claim access', async () => {
    const gitlab = await withKey();
    const check = gitlab.check({ accessClaim: true });
    const access = [{ type: 'repository', name: 'a', actions: ['pull', 7] }, { type: 7 }, null];
    const identity = await check.identify(await gitlab.sign({ access }));
    expect(identity?.scopes).toEqual([{ type: 'repository', name: 'a', actions: ['pull'] }]);
    for (const none of [undefined, 'all', {}]) {
      expect((await check.identify(await gitlab.sign({ access: none })))?.scopes).toEqual([]);
    }
  });

  test('is found among several keys without ids', async () => {
    const gitlab = new TestIssuer();
    for (let i = 0; i < 3; i++) await gitlab.addKey(undefined);
    const token = await gitlab.sign();
    expect((await gitlab.check().identify(token))?.user).toBe('gitlab:job:7');
    await expect(gitlab.check().identify(`${token.slice(0, -8)}AAAAAAAA`)).rejects.toThrow(/wrong signature/);
  });

  test('of somebody else is not judged, and nothing is fetched for it', async () => {
    const gitlab = await withKey();
    const check = gitlab.check();
    for (const token of ['', 'password', 'a.b.c', await gitlab.sign({ iss: `${issuer}/` }), 'x'.repeat(1024 * 1024)]) {
      expect(await check.identify(token)).toBeUndefined();
    }
    expect(await check.identify(await gitlab.sign({ padding: 'x'.repeat(11_000) }))).toBeUndefined();
    expect(gitlab.asked).toEqual([]);
  });

  test.each<[string, RegExp, Payload]>([
    ['has expired', /has expired/, { exp: start / 1000 - 6 }],
    ['is not valid yet', /not valid yet/, { nbf: start / 1000 + 60 }],
    ['is for another audience', /wrong audience/, { aud: 'other' }],
    ['has no audience', /wrong audience/, { aud: undefined }],
    ['has no end', /wrong claims/, { exp: undefined }],
  ])('is refused if it %s', async (_what, message, payload) => {
    const gitlab = await withKey();
    const token = await gitlab.sign(payload);
    const refusal = await gitlab
      .check()
      .identify(token)
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'UNAUTHORIZED', message: expect.stringMatching(message) as string });
    expect(String(refusal)).not.toContain(token.slice(0, 30));
  });

  test('is refused if it is signed with a secret, or not at all', async () => {
    const gitlab = await withKey();
    const payload = { iss: issuer, aud: audience, sub: 'root', exp: start / 1000 + 300 };
    const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const none = `${text({ alg: 'none' })}.${text(payload)}.`;
    const secret = new TextEncoder().encode('public key'.repeat(10));
    const hmac = await new SignJWT(payload).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret);
    for (const token of [none, hmac]) {
      await expect(gitlab.check().identify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  test('is remembered until it ends', async () => {
    const gitlab = await withKey();
    const check = gitlab.check();
    const token = await gitlab.sign();
    expect(await check.identify(token)).toBe(await check.identify(token));
    gitlab.now += 301_000;
    await expect(check.identify(token)).rejects.toThrow(/has expired/);
  });
});

describe('the keys of an issuer', () => {
  test('are fetched with the first token, once for many', async () => {
    const gitlab = await withKey();
    const check = gitlab.check();
    expect(gitlab.asked).toEqual([]);
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => gitlab.sign({ jti: `${i}` })));
    await Promise.all(tokens.map((token) => check.identify(token)));
    expect(gitlab.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('may be given, or have a known address', async () => {
    const gitlab = await withKey();
    const { keys } = (await (await gitlab.fetch(`${issuer}/keys`, {})).json()) as { keys: Record<string, unknown>[] };
    gitlab.asked.length = 0;
    expect((await gitlab.check({ keys: { keys } }).identify(await gitlab.sign()))?.user).toBe('gitlab:job:7');
    await gitlab.check({ jwksUri: `${issuer}/jwks` }).identify(await gitlab.sign());
    expect(gitlab.asked).toEqual(['/jwks']);
  });

  test('are fetched at most once a minute for keys that they do not have', async () => {
    const gitlab = await withKey();
    const check = gitlab.check();
    await check.identify(await gitlab.sign());
    const before = gitlab.asked.length;
    gitlab.now += 60_000;
    for (let i = 0; i < 50; i++) {
      const token = await gitlab.sign({}, { kid: `unknown ${i}` });
      await expect(check.identify(token)).rejects.toThrow(/does not name/);
    }
    expect(gitlab.asked.length).toBe(before + 1);
  });

  test('rotate: a new one is found within a minute, one that is withdrawn proves nothing after ten', async () => {
    const gitlab = await withKey();
    const check = gitlab.check();
    const old = await gitlab.sign({ exp: start / 1000 + 3600 });
    await check.identify(old);
    gitlab.removeKeys();
    await gitlab.addKey('two');
    gitlab.now += 61_000;
    expect((await check.identify(await gitlab.sign()))?.user).toBe('gitlab:job:7');
    await expect(check.identify(old)).rejects.toThrow(/does not name/);
  });

  test('are used for an hour while the issuer is down, and asked for every five seconds', async () => {
    const gitlab = await withKey();
    const check = gitlab.check();
    await check.identify(await gitlab.sign());
    gitlab.answer = () => new Response('', { status: 503 });
    gitlab.asked.length = 0;
    gitlab.now += 59 * 60_000;
    for (let i = 0; i < 10; i++) await check.identify(await gitlab.sign({ jti: `${i}` }));
    expect(gitlab.asked).toHaveLength(1);
    gitlab.now += 2 * 60_000;
    await expect(check.identify(await gitlab.sign())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    gitlab.answer = undefined;
    gitlab.now += 5000;
    expect((await check.identify(await gitlab.sign()))?.user).toBe('gitlab:job:7');
  });

  test.each<[string, RegExp, (url: string) => Response | Promise<Response>]>([
    [
      'is down',
      /ECONNREFUSED/,
      () => Promise.reject(new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })),
    ],
    ['answers with an error', /status is 500/, () => new Response('', { status: 500 })],
    ['answers with a page', /JSON/, () => new Response('<html>')],
    ['answers without an end', /more than 262144 bytes/, () => new Response(endless())],
    [
      'is another one',
      /is of the issuer "https:\/\/evil\.example"/,
      () => Response.json({ issuer: 'https://evil.example' }),
    ],
    ['names no keys', /jwks_uri/, () => Response.json({ issuer })],
    ['names keys without TLS', /has to be an https URL/, () => Response.json({ issuer, jwks_uri: 'http://x/keys' })],
    ['names a file', /has to be an https URL/, () => Response.json({ issuer, jwks_uri: 'file:///etc/passwd' })],
    [
      'has no list of keys',
      /no list "keys"/,
      (url) => Response.json(url.endsWith('/keys') ? {} : { issuer, jwks_uri: `${issuer}/keys` }),
    ],
  ])('cannot be had if it %s: nobody is let in, and the reason is said', async (_what, message, answer) => {
    const gitlab = await withKey();
    gitlab.answer = answer;
    const refusal = await gitlab
      .check()
      .identify(await gitlab.sign())
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(message) as string });
  });

  test('are asked for with the token of the caller, which no error quotes', async () => {
    const gitlab = await withKey();
    let count = 0;
    const check = gitlab.check({ authorization: () => `Bearer SECRET-${++count}` });
    await check.identify(await gitlab.sign());
    expect(gitlab.headers).toEqual(['Bearer SECRET-1', 'Bearer SECRET-1']);
    gitlab.answer = () => new Response('', { status: 403 });
    gitlab.now += 2 * 60 * 60_000;
    await expect(check.identify(await gitlab.sign())).rejects.toThrow(/^(?!.*SECRET)/);
    expect(gitlab.headers.at(-1)).toBe('Bearer SECRET-2');
  });

  test('do not follow a redirect', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/keys') response.end('{"keys": []}');
      else response.writeHead(302, { location: '/keys' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const gitlab = await withKey();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const check = gitlab.check({ fetch: (at, init) => fetch(at.replace(issuer, url), init) });
    await expect(check.identify(await gitlab.sign())).rejects.toThrow(/redirect/);
  });
});

test.each<[string, Partial<OidcIssuerOptions>]>([
  ['an issuer that is no URL', { issuer: 'gitlab.example' }],
  ['an issuer that is a file', { issuer: 'file:///x' }],
  ['an empty name', { name: '' }],
  ['a name with a colon', { name: 'a:b' }],
  ['an empty audience', { audience: '' }],
  ['an address of keys that is no URL', { jwksUri: '/keys' }],
])('%s is refused at once', (_what, options) => {
  expect(() => oidcIssuer({ name: 'gitlab', issuer, audience, ...options })).toThrow(TypeError);
});

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)) });
}

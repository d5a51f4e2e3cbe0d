import { decodeJwt, decodeProtectedHeader, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose';
import type { JWTPayload } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';

import { anonymous, identityOf } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';
import type { UserEntry, Users } from '../passwords/index.ts';
import { parseScopes } from '../scopes/index.ts';

import { memoryKeys, openSigningKeys, tokenIssuer } from './index.ts';
import type { SigningKeys, TokenIssuer } from './index.ts';

const day = 24 * 60 * 60_000;
const issuer = 'https://registry.example/token';
const service = 'registry.example';
const pull = parseScopes('repository:team/app:pull');

let now = 0;
let entries: Map<string, UserEntry[]>;
let keys: SigningKeys;
let tokens: TokenIssuer;

function user(name: string, stamp: string, details: Partial<Omit<Identity, 'user'>> = {}): Identity {
  const identity = identityOf(name, details);
  entries.set(name, [...(entries.get(name) ?? []), { identity, stamp }]);
  return identity;
}

const users: Pick<Users, 'find'> = { find: (name) => Promise.resolve(entries.get(name) ?? []) };

beforeEach(async () => {
  now = Date.parse('2026-01-01T00:00:00Z');
  entries = new Map();
  keys = await openSigningKeys(memoryKeys(), { now: () => now });
  tokens = tokenIssuer({ keys, issuer, service, users, now: () => now });
});

describe('an access token', () => {
  test('proves its user, limited to its scopes', async () => {
    const alice = user('alice', 'one', { groups: ['developers'] });
    const { token, expiresIn, issuedAt } = await tokens.access(alice, pull);
    expect({ expiresIn, issuedAt }).toEqual({ expiresIn: 900, issuedAt: now });
    const identity = await tokens.identify(token);
    expect(identity).toEqual({ ...alice, scopes: pull, login: alice });
    expect(await tokens.identify(token)).toBe(identity);
  });

  test('can be verified by others with the published keys', async () => {
    const { token } = await tokens.access(user('alice', 'one'), pull);
    const [key] = (await tokens.published()).keys;
    if (key === undefined) throw new Error('no key is published');
    expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'JWT', kid: key.kid });
    const { payload } = await jwtVerify(token, await importJWK(key), { currentDate: new Date(now), audience: service });
    expect(payload).toMatchObject({ iss: issuer, aud: service, sub: 'alice', access: pull, exp: now / 1000 + 900 });
  });

  test('tells nothing about the password', async () => {
    const { token } = await tokens.access(user('alice', 'the-secret-stamp'), pull);
    expect(JSON.stringify(decodeJwt(token))).not.toContain('the-secret-stamp');
  });

  test('of nobody is anonymous', async () => {
    const { token } = await tokens.access(anonymous, pull);
    expect(await tokens.identify(token)).toEqual({ ...anonymous, scopes: pull, login: anonymous });
  });

  test('without scopes may do nothing, not all', async () => {
    const { token } = await tokens.access(user('alice', 'one'), []);
    expect((await tokens.identify(token))?.scopes).toEqual([]);
  });

  test.each([
    ['the user is removed', () => entries.delete('alice')],
    ['the password changes', () => entries.set('alice', [{ identity: identityOf('alice'), stamp: 'two' }])],
  ])('ends as soon as %s, also one that was verified before', async (_what, change) => {
    const { token } = await tokens.access(user('alice', 'one'), pull);
    await tokens.identify(token);
    change();
    await expect(tokens.identify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('has the groups that its user has now', async () => {
    const { token } = await tokens.access(user('alice', 'one', { groups: ['developers'] }), pull);
    await tokens.identify(token);
    entries.set('alice', [{ identity: identityOf('alice', { groups: ['guests'] }), stamp: 'one' }]);
    expect((await tokens.identify(token))?.groups).toEqual(['guests']);
  });

  test('is bound to the entry that logged in, if its user has several', async () => {
    const person = user('ci', 'password');
    const robot = user('ci', 'robot', { scopes: pull, claims: { robot: '1' } });
    const [ofPerson, ofRobot] = [await tokens.access(person, pull), await tokens.access(robot, pull)];
    entries.set('ci', [{ identity: person, stamp: 'password' }]);
    expect((await tokens.identify(ofPerson.token))?.user).toBe('ci');
    await expect(tokens.identify(ofRobot.token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('is not issued for an entry that has changed since the login', async () => {
    const before = user('alice', 'one');
    entries.set('alice', [{ identity: identityOf('alice'), stamp: 'two' }]);
    await expect(tokens.access(before, pull)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('carries an identity that is none of the users, and its end', async () => {
    const job = identityOf('gitlab:team/app', { groups: ['ci'], claims: { ref: 'main' }, expires: now + 5 * 60_000 });
    const { token, expiresIn } = await tokens.access(job, pull);
    expect(expiresIn).toBe(300);
    expect(await tokens.identify(token)).toEqual({ ...job, scopes: pull, login: job });
    now += 5 * 60_000 + 10_000;
    await expect(tokens.identify(token)).rejects.toThrow(/has expired/);
    tokens.clear();
    await expect(tokens.identify(token)).rejects.toThrow(/has expired/);
  });

  test('proves also an identity whose claims fill a token of another issuer', async () => {
    const groups = Array.from({ length: 50 }, (_, i) => `gitlab:group-${i}`);
    const job = identityOf('gitlab:job', { groups, claims: { text: 'x'.repeat(7000) } });
    const { token } = await tokens.access(job, pull);
    expect(token.length).toBeGreaterThan(10 * 1024);
    expect(await tokens.identify(token)).toMatchObject({ user: 'gitlab:job', groups });
    expect(await tokens.identify(token.padEnd(1024 * 1024, 'x'))).toBeUndefined();
  });

  test('says at least a minute, and ends with an identity that ends before', async () => {
    const job = identityOf('gitlab:team/app', { expires: now + 20_000 });
    const { token, expiresIn } = await tokens.access(job, pull);
    expect(expiresIn).toBe(60);
    expect(decodeJwt(token).exp).toBe(now / 1000 + 20);
    expect(() => tokenIssuer({ keys, issuer, service, accessFor: 59_000 })).toThrow(RangeError);
  });

  test('of another issuer is not judged', async () => {
    const other = tokenIssuer({ keys, issuer: 'https://other.example', service, now: () => now });
    expect(await tokens.identify((await other.access(anonymous, [])).token)).toBeUndefined();
    for (const text of ['', 'a.b.c', 'ocikit_1', '...', 'x'.repeat(1024 * 1024), 'e30.e30.', 'bnVsbA.bnVsbA.x']) {
      expect(await tokens.identify(text)).toBeUndefined();
    }
  });

  describe('is refused', () => {
    async function forged(change: (payload: JWTPayload, header: Record<string, unknown>) => void): Promise<string> {
      const payload: JWTPayload = { iss: issuer, aud: service, sub: 'root', iat: now / 1000, exp: now / 1000 + 900 };
      const { kid } = await keys.current();
      const header: Record<string, unknown> = { alg: 'ES256', typ: 'JWT', kid };
      change(payload, header);
      const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      if (header['alg'] === 'none') return `${text(header)}.${text(payload)}.`;
      if (header['alg'] === 'HS256') {
        const [jwk] = (await keys.published()).keys;
        const secret = new TextEncoder().encode(JSON.stringify(jwk));
        return new SignJWT(payload).setProtectedHeader({ ...header, alg: 'HS256' }).sign(secret);
      }
      const { privateKey } = await keys.current();
      return new SignJWT(payload).setProtectedHeader({ ...header, alg: 'ES256' }).sign(privateKey);
    }

    test.each<[string, RegExp, (payload: JWTPayload, header: Record<string, unknown>) => void]>([
      ['once it has expired', /has expired/, (payload) => (payload.exp = now / 1000 - 6)],
      ['before it is valid', /not valid yet/, (payload) => (payload.nbf = now / 1000 + 60)],
      ['for another audience', /wrong audience/, (payload) => (payload.aud = 'other')],
      ['without an audience', /wrong audience/, (payload) => delete payload.aud],
      ['without an end', /wrong claims/, (payload) => delete payload.exp],
      ['with alg none', /signature|algorithm|malformed/, (_, header) => (header['alg'] = 'none')],
      ['signed with the public key as a secret', /algorithm|malformed/, (_, header) => (header['alg'] = 'HS256')],
      ['with an unknown key', /not known here/, (_, header) => (header['kid'] = 'x')],
      ['without a key', /not known here/, (_, header) => delete header['kid']],
      ['as a refresh token', /wrong type/, (_, header) => (header['typ'] = 'refresh+jwt')],
    ])('%s', async (_what, message, change) => {
      const token = await forged(change);
      const refusal = await tokens.identify(token).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'UNAUTHORIZED', message: expect.stringMatching(message) as string });
      expect(String(refusal)).not.toContain(token.slice(0, 30));
    });

    test('with a signature of another key, or a changed text', async () => {
      const { token } = await tokens.access(anonymous, pull);
      const [header = '', , signature = ''] = token.split('.');
      const payload = { ...decodeJwt(token), sub: 'root' };
      const changed = `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.${signature}`;
      await expect(tokens.identify(changed)).rejects.toThrow(/wrong signature/);
      const { privateKey } = await generateKeyPair('ES256');
      const { kid } = await keys.current();
      const other = await new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid }).sign(privateKey);
      await expect(tokens.identify(other)).rejects.toThrow(/wrong signature/);
    });
  });
});

describe('a refresh token', () => {
  test('is worth its user until the password changes', async () => {
    const alice = user('alice', 'one', { groups: ['developers'] });
    const token = (await tokens.refresh(alice)) ?? '';
    expect(await tokens.redeem(token)).toBe(alice);
    await expect(tokens.identify(token)).rejects.toThrow(/wrong type/);
    now += 29 * day;
    expect(await tokens.redeem(token)).toBe(alice);
    entries.set('alice', [{ identity: alice, stamp: 'two' }]);
    await expect(tokens.redeem(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('ends after 30 days, or with the entry', async () => {
    const token = (await tokens.refresh(user('alice', 'one'))) ?? '';
    const short = (await tokens.refresh(user('ci', 'robot', { expires: now + day }))) ?? '';
    now += day + 10_000;
    await expect(tokens.redeem(short)).rejects.toThrow(/has expired/);
    now += 29 * day;
    await expect(tokens.redeem(token)).rejects.toThrow(/has expired/);
  });

  test('is none for callers that are no users, and no access token is one', async () => {
    expect(await tokens.refresh(identityOf('gitlab:team/app'))).toBeUndefined();
    expect(await tokens.refresh(anonymous)).toBeUndefined();
    const { token } = await tokens.access(user('alice', 'one'), pull);
    await expect(tokens.redeem(token)).rejects.toThrow(/wrong type/);
    expect(await tokens.redeem('password')).toBeUndefined();
  });
});

test('tokens stay valid over a rotation of the keys, and end with the last of their key', async () => {
  const alice = user('alice', 'one');
  const refresh = (await tokens.refresh(alice)) ?? '';
  now += 90 * day + 1;
  expect((await tokens.published()).keys).toHaveLength(2);
  const before = (await keys.current()).kid;
  now += day;
  expect((await keys.current()).kid).not.toBe(before);
  const last = tokenIssuer({ keys, issuer, service, users, now: () => now, refreshFor: 200 * day });
  await expect(last.redeem(refresh)).rejects.toThrow(/has expired/);
  now += 31 * day;
  expect((await tokens.published()).keys).toHaveLength(1);
  await expect(last.redeem(refresh)).rejects.toThrow(/not known here/);
});

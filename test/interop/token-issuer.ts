// A token server for other registries.
import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';

import { testCertificate } from 'ocikit/testing';
import { afterAll, beforeAll } from 'vitest';

import { startTokenServer } from '../../packages/ocikit/test/token-server.ts';
import type { SeenRequest, TokenServer } from '../../packages/ocikit/test/token-server.ts';

import type { TokenIssuer } from './registries.ts';

const service = 'registry.test';
const issuer = 'tokens.test';

/** A token server for the tests of one file or one `describe`. */
export interface TestTokens {
  issuer(): TokenIssuer;
  /** Number of issued tokens. */
  readonly issued: number;
}

/**
 * Issues signed tokens with the certificate of the key, as distribution verifies them. Its documentation, "Token
 * Authentication Implementation".
 */
export function useTokenServer(users: Readonly<Record<string, string>>): TestTokens {
  let server: TokenServer | undefined;
  let certificate = '';
  beforeAll(async () => {
    const made = await testCertificate([issuer]);
    certificate = made.cert;
    server = await startTokenServer({
      refuse: (request) => (userOf(request, users) === undefined ? { status: 401, body: 'who are you?' } : undefined),
      answer: (_token, request) => {
        const scope =
          request.method === 'POST' ? (formOf(request).get('scope') ?? '').split(' ') : request.query.getAll('scope');
        return { token: tokenFor(userOf(request, users) ?? '', scope, made), expires_in: lifetime };
      },
    });
  });
  afterAll(() => server?.close());
  return {
    issuer: () => ({ realm: `${server?.origin ?? ''}/token`, service, issuer, certificate }),
    get issued() {
      return server?.granted.size ?? 0;
    },
  };
}

/** Lifetime of a token in seconds. */
const lifetime = 300;

/** Returns a JSON Web Token. RFC 7519. */
function tokenFor(user: string, scope: readonly string[], { cert, key }: { cert: string; key: string }): string {
  const now = Math.floor(Date.now() / 1000);
  const header = { typ: 'JWT', alg: 'ES256', x5c: [new X509Certificate(cert).raw.toString('base64')] };
  const claims = {
    iss: issuer,
    sub: user,
    aud: service,
    exp: now + lifetime,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access: scope.flatMap((text) => text.split(' ')).flatMap(accessIn),
  };
  const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = sign('sha256', Buffer.from(content), { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

function accessIn(scope: string): { type: string; name: string; actions: string[] }[] {
  const [, type = '', name = '', actions = ''] = /^([^:]+):(.+):([^:]+)$/.exec(scope) ?? [];
  return type === '' ? [] : [{ type, name, actions: actions.split(',') }];
}

/**
 * Returns the user with the right password in a request, by Basic or in a form of OAuth 2; undefined if there is none.
 */
function userOf(request: SeenRequest, users: Readonly<Record<string, string>>): string | undefined {
  const [, encoded = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  const form = formOf(request);
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  const [name, password] =
    encoded === '' ? [form.get('username') ?? '', form.get('password')] : [text.slice(0, colon), text.slice(colon + 1)];
  return Object.hasOwn(users, name) && users[name] === password ? name : undefined;
}

function formOf({ method, body }: SeenRequest): URLSearchParams {
  return new URLSearchParams(method === 'POST' ? body : '');
}

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatChallenges, parseChallenges } from './challenges.ts';
import type { Challenge } from './challenges.ts';

const bearer = (parameters: Record<string, string>): Challenge => ({ scheme: 'bearer', parameters });
const basic = (parameters: Record<string, string> = {}): Challenge => ({ scheme: 'basic', parameters });

describe('a WWW-Authenticate header', () => {
  test.each<[string, Challenge[]]>([
    ['', []],
    [' , ,', []],
    ['Basic', [basic()]],
    ['Basic realm="x"', [basic({ realm: 'x' })]],
    ['BASIC REALM=x', [basic({ realm: 'x' })]],
    ['Basic realm=""', [basic({ realm: '' })]],
    ['Basic realm = "x" , charset\t=\tUTF-8', [basic({ realm: 'x', charset: 'UTF-8' })]],
    [String.raw`Basic realm="a \"b\" \\ c, d=e"`, [basic({ realm: 'a "b" \\ c, d=e' })]],
    ['Basic , realm="x"', [basic({ realm: 'x' })]],
    ['Basic , Bearer , realm="x"', [basic(), bearer({ realm: 'x' })]],
    ['Negotiate', [{ scheme: 'negotiate', parameters: {} }]],
    ['Negotiate YWJj==', [{ scheme: 'negotiate', parameters: {}, token68: 'YWJj==' }]],
    ['Negotiate   YW/J+j, Basic', [{ scheme: 'negotiate', parameters: {}, token68: 'YW/J+j' }, basic()]],
    ['Negotiate a=', [{ scheme: 'negotiate', parameters: {}, token68: 'a=' }]],
    ['Negotiate, Basic realm="x"', [{ scheme: 'negotiate', parameters: {} }, basic({ realm: 'x' })]],
    [',, Basic realm="x",, ,Bearer realm="y",', [basic({ realm: 'x' }), bearer({ realm: 'y' })]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push repository:c:pull"',
      [
        bearer({
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push repository:c:pull',
        }),
      ],
    ],
    [
      'Basic realm="https://e.azurecr.io", Bearer realm="https://e.azurecr.io/oauth2/token",service=e.azurecr.io , Digest qop="auth, auth-int"',
      [
        basic({ realm: 'https://e.azurecr.io' }),
        bearer({ realm: 'https://e.azurecr.io/oauth2/token', service: 'e.azurecr.io' }),
        { scheme: 'digest', parameters: { qop: 'auth, auth-int' } },
      ],
    ],
    ['Bearer __proto__="x"', [bearer(Object.fromEntries([['__proto__', 'x']]))]],
  ])('%j is parsed as %j', (header, challenges) => {
    expect(parseChallenges(header)).toStrictEqual(challenges);
  });

  test.each([
    '"x"',
    '=',
    'realm="x"',
    'Bearer realm="x',
    'Bearer realm="x\\"',
    'Bearer realm="x"y',
    'Bearer realm="x" service="y"',
    'Bearer realm=a b',
    'Bearer realm=https://example.com',
    'Bearer realm="x",realm="y"',
    'Bearer realm="x",REALM="x"',
    'Basic realm="a", Bearer realm="x",realm="y"',
    'Bearer =x',
    'Bearer a==b',
    'Bearer YWJj realm="x"',
    'Bearer YWJj, realm="x"',
    'Bearer\trealm="x"',
    'Bearer realm="\u0001"',
    'Bearer realm="x"; scope="y"',
    'Bearer@x',
  ])('%j is malformed and refused as a whole', (header) => {
    expect(parseChallenges(header)).toBeUndefined();
  });

  test('has the same challenges after formatting and parsing', () => {
    const name = fc.stringMatching(/^[a-z!#$%&'*+.^_`|~0-9-]+$/);
    const value = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]*$/);
    const challenge = fc.oneof(
      fc
        .tuple(name, fc.dictionary(name, value, { noNullPrototype: true }))
        .map(([scheme, parameters]): Challenge => ({ scheme, parameters })),
      fc
        .tuple(name, fc.stringMatching(/^[0-9A-Za-z\-._~+/]+={0,3}$/))
        .map(([scheme, token68]): Challenge => ({ scheme, parameters: {}, token68 })),
    );
    fc.assert(
      fc.property(fc.array(challenge), (any) => {
        expect(parseChallenges(formatChallenges(any))).toStrictEqual(any);
      }),
    );
  });

  test('of any text is parsed or refused in time that is linear in its length', () => {
    fc.assert(
      fc.property(fc.string(), (any) => {
        parseChallenges(any);
      }),
    );
    const started = performance.now();
    for (const text of ['a, ', 'a a', 'a="', ' ,', 'B x="\\', 'B x= ', 'a   ', 'x=y,']) {
      parseChallenges(`Bearer realm="x", ${text.repeat(20_000)}`);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

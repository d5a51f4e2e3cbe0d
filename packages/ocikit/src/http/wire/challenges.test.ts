import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { cpuTimeOf } from '../../../test/cpu-time.ts';

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
    expect(parseChallenges(header)).toStrictEqual({ challenges, unread: [] });
  });

  test.each<[string, Challenge[]]>([
    ['Basic realm=/', [basic({ realm: '/' })]],
    ['Basic realm=Registry Realm', [basic({ realm: 'Registry Realm' })]],
    ['Basic realm=Acme, Inc', [basic({ realm: 'Acme, Inc' })]],
    ['Basic realm=My Basic Realm', [basic({ realm: 'My Basic Realm' })]],
    ["Basic realm='x y'", [basic({ realm: 'x y' })]],
    ["Basic realm='a, b', Bearer realm='https://t'", [basic({ realm: 'a, b' }), bearer({ realm: 'https://t' })]],
    ['Basic realm="x"; charset=UTF-8', [basic({ realm: 'x', charset: 'UTF-8' })]],
    ['Bearer realm="x" service="y"', [bearer({ realm: 'x', service: 'y' })]],
    ['Bearer realm="x"service="y"', [bearer({ realm: 'x', service: 'y' })]],
    ['Bearer realm="x"; service="y"', [bearer({ realm: 'x', service: 'y' })]],
    ['Bearer realm="x" Basic realm="y"', [bearer({ realm: 'x' }), basic({ realm: 'y' })]],
    ['Bearer realm=x; Basic realm=y', [bearer({ realm: 'x' }), basic({ realm: 'y' })]],
    ['Bearer realm=https://a.b/t?c=d,service=e', [bearer({ realm: 'https://a.b/t?c=d', service: 'e' })]],
    ['Bearer realm=https://a.b/t service=e f', [bearer({ realm: 'https://a.b/t', service: 'e f' })]],
    ['Bearer realm="x",error=invalid token', [bearer({ realm: 'x', error: 'invalid token' })]],
    [
      'Bearer realm="x",error=bad one, Basic realm=y z',
      [bearer({ realm: 'x', error: 'bad one' }), basic({ realm: 'y z' })],
    ],
    [
      'Bearer realm="x",scope=repository:a:pull,push,service=s',
      [bearer({ realm: 'x', scope: 'repository:a:pull,push', service: 's' })],
    ],
    ['Bearer realm="x",realm="x"', [bearer({ realm: 'x' })]],
    ['Bearer\trealm="x"', [bearer({ realm: 'x' })]],
    ['Bearer: realm="x"', [bearer({ realm: 'x' })]],
    ['Bearer a==b', [bearer({ a: '=b' })]],
  ])('%j, which is written loosely, is parsed as %j', (header, challenges) => {
    expect(parseChallenges(header)).toStrictEqual({ challenges, unread: [] });
  });

  test.each<[string, Challenge[], string[]]>([
    ['"x"', [], ['"x"']],
    ['=', [], ['=']],
    ['realm="x"', [], ['realm="x"']],
    ['"x", Bearer realm="y"', [bearer({ realm: 'y' })], ['"x"']],
    ['<html>, Basic realm="y"', [basic({ realm: 'y' })], ['<html>']],
    ['Bearer realm="x, Bearer realm="y"', [bearer({}), bearer({ realm: 'y' })], ['realm="x']],
    ['Bearer realm="x', [bearer({})], ['realm="x']],
    [String.raw`Bearer realm="x\"`, [bearer({})], [String.raw`realm="x\"`]],
    ['Bearer realm="x"y,service="z"', [bearer({ service: 'z' })], ['realm="x"y']],
    ['Bearer realm=https://example.com a', [bearer({ realm: 'https://example.com' })], ['a']],
    ['Bearer realm="x",REALM="y"', [bearer({})], ['REALM="y"']],
    ['Bearer realm="x",realm="y",realm="x"', [bearer({})], ['realm="y"', 'realm="x"']],
    ['Basic realm="a", Bearer realm="x",realm=y z', [basic({ realm: 'a' }), bearer({})], ['realm=y', 'z']],
    ['Bearer =x', [], ['Bearer =x']],
    ['Bearer YWJj realm="x"', [bearer({ realm: 'x' })], ['YWJj']],
    ['Bearer@x', [], ['Bearer@x']],
  ])('%j is read as far as it can be: %j without %j', (header, challenges, unread) => {
    expect(parseChallenges(header)).toStrictEqual({ challenges, unread });
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
        expect(parseChallenges(formatChallenges(any))).toStrictEqual({ challenges: any, unread: [] });
      }),
    );
  });

  test('of any text is parsed in time that is linear in its length', () => {
    fc.assert(
      fc.property(fc.string(), (any) => {
        parseChallenges(any);
      }),
    );
    const took = cpuTimeOf(() => {
      for (const text of [
        'a, ',
        'a a',
        'a="',
        ' ,',
        'B x="\\',
        'B x= ',
        'a   ',
        'x=y,',
        "'",
        "a='",
        'x=y ',
        '"',
        'a=""',
        'Basic ',
        '; ',
      ]) {
        parseChallenges(`Bearer realm="x", ${text.repeat(20_000)}`);
      }
    });
    expect(took).toBeLessThan(10_000);
  });
});

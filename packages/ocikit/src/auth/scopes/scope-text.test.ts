import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatScopes, parseScopes, scopesInclude } from './scope-text.ts';

describe('a scope', () => {
  test.each([
    ['', ''],
    ['  ', ''],
    ['repository:a/b:pull', 'repository:a/b:pull'],
    ['repository:a/b:push,pull', 'repository:a/b:push,pull'],
    ['repository:a:pull repository:a:pull,push', 'repository:a:pull,push'],
    ['repository:b:pull repository:a:pull  repository:b:push', 'repository:b:pull,push repository:a:pull'],
    ['registry:catalog:*', 'registry:catalog:*'],
    ['repository(plugin):a:pull', 'repository:a:pull'],
    ['repository:localhost:5000/a:pull', 'repository:localhost:5000/a:pull'],
    ['repository:a:,pull,', 'repository:a:pull'],
    ['repository:a:', ''],
    ['repository::pull', ''],
    ['openid offline_access :: a:b', ''],
    ['constructor:__proto__:pull', 'constructor:__proto__:pull'],
  ])('%j is %j once it has been read', (text, expected) => {
    expect(formatScopes(parseScopes(text))).toBe(expected);
  });

  test('may be given in several parameters, which are united', () => {
    expect(parseScopes(['repository:a:pull', 'repository:b:pull repository:a:push'])).toEqual([
      { type: 'repository', name: 'a', actions: ['pull', 'push'] },
      { type: 'repository', name: 'b', actions: ['pull'] },
    ]);
  });

  test('is read from its text as it was written, whatever it is', () => {
    const word = fc.stringMatching(/^[a-z*,/()]{0,4}$/);
    const text = fc.array(fc.array(word, { maxLength: 5 }).map((words) => words.join(':'))).map((all) => all.join(' '));
    fc.assert(
      fc.property(text, (written) => {
        const scopes = parseScopes(written);
        expect(parseScopes(formatScopes(scopes))).toEqual(scopes);
        expect(scopes.every(({ actions }) => actions.length > 0 && new Set(actions).size === actions.length)).toBe(
          true,
        );
      }),
    );
  });

  test('of more than 16 KiB grants nothing', () => {
    const long = Array.from({ length: 1000 }, (_, i) => `repository:app-${i}:pull`).join(' ');
    expect(long.length).toBeGreaterThan(16 * 1024);
    expect(parseScopes(long)).toEqual([]);
  });

  test.each([
    ['repository:a:pull', 'repository', 'a', 'pull', true],
    ['repository:a:pull', 'repository', 'a', 'push', false],
    ['repository:a:*', 'repository', 'a', 'push', true],
    ['repository:a:pull', 'repository', 'b', 'pull', false],
    ['repository:catalog:*', 'registry', 'catalog', '*', false],
    ['registry:catalog:*', 'registry', 'catalog', '*', true],
  ])('%j includes %s:%s:%s: %j', (text, type, name, action, expected) => {
    expect(scopesInclude(parseScopes(text), type, name, action)).toBe(expected);
  });
});

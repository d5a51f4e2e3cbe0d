import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { PatternTree } from './pattern-tree.ts';
import { parsePattern, userInNames } from './pattern.ts';
import type { Segment } from './pattern.ts';

function parsed(pattern: string): readonly Segment[] {
  const segments = parsePattern(pattern);
  if (typeof segments === 'string') throw new Error(`${pattern}: ${segments}`);
  return segments;
}

function matches(pattern: string, name: string, user?: string): boolean {
  const tree = new PatternTree<true>();
  tree.at(parsed(pattern), () => true);
  return tree.find(name, userInNames(user)).length > 0;
}

describe('a pattern', () => {
  test.each([
    ['app', 'app', true],
    ['app', 'apps', false],
    ['app', 'app/x', false],
    ['app', 'team/app', false],
    ['team/*', 'team/app', true],
    ['team/*', 'team', false],
    ['team/*', 'team/a/b', false],
    ['team/*', 'teams/a', false],
    ['team/**', 'team/a', true],
    ['team/**', 'team/a/b/c', true],
    ['team/**', 'team', false],
    ['team/**', 'teams/a', false],
    ['*', 'app', true],
    ['*', 'a/b', false],
    ['**', 'app', true],
    ['**', 'a/b/c', true],
    ['**/app', 'app', true],
    ['**/app', 'a/b/app', true],
    ['**/app', 'a/b/apps', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['a/**/b', 'a/x/y', false],
    ['a/**/**/b', 'a/b', true],
    ['**/a/**/b/**', 'x/a/y/b/z', true],
    ['**/a/**/b/**', 'x/a/y/b', false],
    ['app-*', 'app-web', true],
    ['app-*', 'app', false],
    ['app-*', 'app-web/x', false],
    ['*-web', 'app-web', true],
    ['a*b*c', 'axbxc', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['a*a', 'a', false],
    ['a.b', 'axb', false],
    ['a.b', 'a.b', true],
  ])('%s and %s fit: %j', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  test.each([
    ['users/${user}/**', 'users/alice/app', 'alice', true],
    ['users/${user}/**', 'users/alice', 'alice', false],
    ['users/${user}/**', 'users/bob/app', 'alice', false],
    ['users/${user}', 'users/alice.smith', 'alice.smith', true],
    ['users/${user}', 'users/alicexsmith', 'alice.smith', false],
    ['${user}-cache', 'alice-cache', 'alice', true],
    ['users/${user}/**', 'users/alice/app', undefined, false],
    ['users/${user}/**', 'users/bob/app', '*', false],
    ['users/${user}/**', 'users/bob/app', '**', false],
    ['users/${user}/**', 'users/a/b', 'a/b', false],
    ['users/${user}/**', 'users/bob/x', '../users/bob', false],
    ['users/${user}/**', 'users/bob/x', 'bob/..', false],
    ['users/${user}/**', 'users/alice/x', 'Alice', false],
    ['users/${user}/**', 'users/alice/x', 'alice/', false],
    ['users/${user}/**', 'users/x/x', '', false],
    ['users/${user}/**', 'users/x/x', '${user}', false],
    ['users/${user}/**', 'users/a/x', 'a%2fb', false],
    ['users/${user}/**', 'users/alice/x', 'alice@example.com', false],
    ['users/${user}/**', 'users/alice/x', 'ali\u0441e', false],
  ])('%s and %s fit for the user %j: %j', (pattern, name, user, expected) => {
    expect(matches(pattern, name, user)).toBe(expected);
  });

  test.each([
    ['', 'empty'],
    ['/a', 'no empty part'],
    ['a/', 'no empty part'],
    ['a//b', 'no empty part'],
    ['Team/*', 'upper-case'],
    ['a/../b', 'two dots'],
    ['a/./b', 'no repository name fits'],
    ['a**', '** stands alone'],
    ['a/***', '** stands alone'],
    ['a%2fb', 'no repository name fits'],
    ['-a', 'no repository name fits'],
    ['a b', 'no repository name fits'],
    ['registry.example.com:5000/a', 'without a host, port or tag'],
    ['a:latest', 'without a host, port or tag'],
    ['${group}/a', '${group} is unknown: only ${user} is replaced'],
    ['${user', '${user is unknown'],
    ['$user', 'no repository name fits'],
    ['${user}-*', 'the repositories of others'],
    ['a'.repeat(1025), '1024'],
  ])('%j is refused', (pattern, reason) => {
    expect(parsePattern(pattern)).toContain(reason);
  });

  test('fits as its definition says, alone and among others', () => {
    const part = fc.constantFrom('a', 'b', 'ab', 'a-b');
    const piece = fc.constantFrom('a', 'b', '*', '**', 'a*', '*b', 'a*b', '*-*');
    const names = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    const patterns = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(patterns, { minLength: 1, maxLength: 8 }), names, (all, name) => {
        const tree = new PatternTree<Set<string>>();
        for (const pattern of all) tree.at(parsed(pattern), () => new Set()).add(pattern);
        const found = new Set(tree.find(name, undefined).flatMap((some) => Array.from(some)));
        expect(found).toEqual(new Set(all.filter((pattern) => fitsByDefinition(pattern.split('/'), name.split('/')))));
      }),
      { numRuns: 500 },
    );
  });

  test('with many wildcards takes no long time', () => {
    const tree = new PatternTree<true>();
    tree.at(parsed(`${Array(60).fill('**/a*a*a*a*b').join('/')}/x`), () => true);
    const began = performance.now();
    expect(tree.find(Array(20).fill('aaaaaaaaaaa').join('/'), undefined)).toEqual([]);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

/** The definition, without regard to time. */
function fitsByDefinition(pattern: readonly string[], name: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return name.length === 0;
  if (first === '**') {
    const least = rest.length === 0 ? 1 : 0;
    return Array.from({ length: name.length + 1 }, (_, i) => i).some(
      (count) => count >= least && fitsByDefinition(rest, name.slice(count)),
    );
  }
  const [head, ...tail] = name;
  if (head === undefined) return false;
  const expression = new RegExp(`^${first.replaceAll('*', '.*')}$`);
  return expression.test(head) && fitsByDefinition(rest, tail);
}

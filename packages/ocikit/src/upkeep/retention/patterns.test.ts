import { expect, test } from 'vitest';

import { cpuTimeOf } from '../../../test/cpu-time.ts';

import { namePatterns } from './patterns.ts';

test.each([
  ['**', 'a/b/c', true],
  ['*', 'a', true],
  ['*', 'a/b', false],
  ['team/*', 'team/app', true],
  ['team/*', 'team/app/x', false],
  ['team/**', 'team/app/x', true],
  ['**/app', 'a/b/app', true],
  ['**/app', 'app', false],
  ['v?.*', 'v1.2.3', true],
  ['v?.*', 'v10.2', false],
  ['a.b', 'axb', false],
  ['pr-*-*', 'pr-1-x', true],
  ['pr-*', 'PR-1', false],
  ['', 'a', false],
  ['**a**', 'xay', true],
  ['?', '/', false],
])('%o and %o: %o', (pattern, name, expected) => {
  expect(namePatterns([pattern])(name)).toBe(expected);
});

test('a name matches if one of several patterns does, and never if there are none', () => {
  expect(namePatterns(['a', 'b*'])('bc')).toBe(true);
  expect(namePatterns([])('a')).toBe(false);
});

test('no name takes long, however many stars there are', () => {
  const took = cpuTimeOf(() => {
    expect(namePatterns(['*a'.repeat(60)])(`${'a'.repeat(127)}b`)).toBe(false);
  });
  expect(took).toBeLessThan(5000);
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatScope, parseScope, scopeContains, unionScopes } from './scope.ts';

describe('a scope', () => {
  test.each([
    ['', ''],
    ['  ', ''],
    ['repository:a/b:pull', 'repository:a/b:pull'],
    ['repository:a/b:push,pull', 'repository:a/b:pull,push'],
    ['repository:b:pull repository:a:pull', 'repository:a:pull repository:b:pull'],
    ['repository:a:pull repository:a:push  repository:a:pull', 'repository:a:pull,push'],
    ['repository:a:pull,pull', 'repository:a:pull'],
    ['registry:catalog:*', 'registry:catalog:*'],
    ['repository:a:unknown,other', 'repository:a:other,unknown'],
    ['repository(plugin):a:pull', 'repository(plugin):a:pull'],
    ['repository:localhost:5000/a:pull', 'repository:localhost:5000/a:pull'],
    ['repository:a:,pull,', 'repository:a:pull'],
    ['repository:a:', 'repository:a:'],
    ['offline:access aws', 'aws offline:access'],
    ['::', '::'],
  ])('%j is %j in its plain form', (text, plain) => {
    expect(formatScope(parseScope(text)).join(' ')).toBe(plain);
  });

  test('in its plain form is read as the same', () => {
    const word = fc.stringMatching(/^[a-z*,]{0,4}$/);
    fc.assert(
      fc.property(fc.array(fc.array(word, { maxLength: 5 }).map((words) => words.join(':'))), (parts) => {
        const scope = parseScope(parts.join(' '));
        const plain = formatScope(scope);
        expect(formatScope(parseScope(plain.join(' ')))).toStrictEqual(plain);
        expect(scopeContains(scope, parseScope(plain.join(' ')))).toBe(true);
      }),
    );
  });

  test.each([
    ['repository:a:pull', '', true],
    ['', '', true],
    ['', 'repository:a:pull', false],
    ['repository:a:pull,push', 'repository:a:pull', true],
    ['repository:a:pull,push', 'repository:a:push,pull', true],
    ['repository:a:pull', 'repository:a:pull,push', false],
    ['repository:a:pull', 'repository:b:pull', false],
    ['repository:a:pull repository:b:pull', 'repository:b:pull', true],
    ['repository:a:*', 'repository:a:delete,pull', true],
    ['repository:a:pull', 'repository:a:*', false],
    ['registry:catalog:*', 'repository:catalog:pull', false],
    ['aws', 'aws', true],
    ['aws', 'gcp', false],
  ])('%j contains %j: %j', (scope, wanted, contains) => {
    expect(scopeContains(parseScope(scope), parseScope(wanted))).toBe(contains);
  });

  test('united with another contains both, and nothing that neither has', () => {
    const scopes = fc.array(
      fc.record({
        type: fc.constantFrom('repository', 'registry'),
        resource: fc.constantFrom('a', 'b'),
        action: fc.constantFrom('pull', 'push', '*'),
      }),
    );
    fc.assert(
      fc.property(scopes, scopes, (one, other) => {
        const union = unionScopes(one, other);
        expect(scopeContains(union, one)).toBe(true);
        expect(scopeContains(union, other)).toBe(true);
        expect(union.every((part) => scopeContains(one, [part]) || scopeContains(other, [part]))).toBe(true);
      }),
    );
  });
});

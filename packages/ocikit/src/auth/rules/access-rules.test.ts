import { describe, expect, test } from 'vitest';

import { anonymous, identityOf } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import { parseScopes } from '../scopes/index.ts';

import { accessRules } from './access-rules.ts';
import { accessActions } from './actions.ts';
import type { AccessRule } from './document.ts';
import { grantedScopes } from './granted-scopes.ts';

const all: AccessRule = { allow: '*', repositories: '**', subjects: 'anonymous' };

describe('rules', () => {
  test('without any deny everything', () => {
    const rules = accessRules({ rules: [] });
    for (const action of accessActions) {
      expect(rules.decide(anonymous, action, 'a').allowed).toBe(false);
      expect(rules.decide(identityOf('alice'), action, 'a').allowed).toBe(false);
    }
    expect(rules.mayListSome(anonymous)).toBe(false);
  });

  test.each([
    [anonymous, 'push', 'a/b', 'an anonymous caller may not push to a/b: no rule allows it'],
    [identityOf('alice'), 'delete', 'a/b', 'alice may not delete from a/b: no rule allows it'],
    [identityOf('alice'), 'overwrite', 'a', 'alice may not move existing tags of a: the rule "tags stay" denies it'],
    [identityOf('alice'), 'pull', 'a', 'alice may pull from a: rules[0] allows it'],
    [identityOf('a b\n'), 'history', 'a', String.raw`"a b\n" may not read the history of a: no rule allows it`],
    [identityOf('alice', { expires: 5 }), 'list', 'a', 'alice may not list a: the login has expired'],
    [
      identityOf('alice', { scopes: [] }),
      'pull',
      'a',
      'alice may not pull from a: the scopes of this login do not include it',
    ],
    [anonymous, 'pull', 'A\n', String.raw`"A\n" is not the name of a repository`],
  ] as const)('give a reason that a person understands (%#)', (identity, action, repository, reason) => {
    const rules = accessRules(
      {
        rules: [
          { allow: ['pull', 'overwrite'], repositories: 'a', subjects: 'authenticated' },
          { deny: 'overwrite', repositories: 'a', subjects: 'authenticated', name: 'tags stay' },
        ],
      },
      { now: () => 10 },
    );
    const decision = rules.decide(identity, action, repository);
    expect(decision.reason).toBe(reason);
    expect(JSON.parse(JSON.stringify(decision))).toMatchObject({ allowed: decision.allowed, reason });
  });

  test('name the first of several rules that decide', () => {
    const rules = accessRules({ rules: [{ ...all, allow: 'push' }, all, { ...all, allow: 'pull' }] });
    expect(rules.decide(anonymous, 'pull', 'a').rule).toMatchObject({ path: 'rules[0]', effect: 'allow' });
    expect(rules.decide(anonymous, 'delete', 'a').rule).toMatchObject({ path: 'rules[1]', effect: 'allow' });
  });

  test('unite the groups of an identity with those of the document', () => {
    const rules = accessRules({
      groups: { dev: ['alice'] },
      rules: [
        { allow: 'pull', repositories: 'a', subjects: { group: 'dev' } },
        { allow: 'pull', repositories: 'b', subjects: { group: 'ops' } },
      ],
    });
    const alice = identityOf('alice', { groups: ['ops'] });
    expect(rules.decide(alice, 'pull', 'a').allowed).toBe(true);
    expect(rules.decide(alice, 'pull', 'b').allowed).toBe(true);
    expect(rules.decide(identityOf('Alice'), 'pull', 'a').allowed).toBe(false);
    expect(rules.decide(identityOf('dev'), 'pull', 'a').allowed).toBe(false);
    // No login, no groups: such an identity is a mistake somewhere.
    expect(rules.decide({ ...anonymous, groups: ['dev', 'ops'] }, 'pull', 'a').allowed).toBe(false);
    expect(rules.decide({ ...alice, user: '' }, 'pull', 'a').allowed).toBe(false);
  });

  test.each([
    [{ a: 'x' }, true],
    [{ a: ['y', 'x'] }, true],
    [{ a: 'X' }, false],
    [{ a: ['y'] }, false],
    [{ a: { x: 'x' } }, false],
    [{ b: 'x' }, false],
    [{}, false],
  ])('for a claim with a text ask for just that text: %j', (claims, expected) => {
    const rules = accessRules({ rules: [{ ...all, subjects: { claims: { a: ['x', 'z'] } } }] });
    expect(rules.decide(identityOf('ci', { claims }), 'pull', 'a').allowed).toBe(expected);
  });

  test('tell numbers, booleans and texts of claims apart', () => {
    const rules = accessRules({ rules: [{ ...all, subjects: { claims: { id: 5, ok: true } } }] });
    const may = (claims: Identity['claims']): boolean =>
      rules.decide(identityOf('ci', { claims }), 'pull', 'a').allowed;
    expect(may({ id: 5, ok: true })).toBe(true);
    expect(may({ id: '5', ok: true })).toBe(false);
    expect(may({ id: 5, ok: 'true' })).toBe(false);
    expect(may({ id: 5 })).toBe(false);
    // Not a claim, but a property of every object.
    const inherited = accessRules({ rules: [{ ...all, subjects: { claims: { constructor: 'x' } } }] });
    expect(inherited.decide(identityOf('ci'), 'pull', 'a').allowed).toBe(false);
  });

  test('ask for all fields of a subject', () => {
    const subjects = { user: ['alice', 'bob'], group: 'dev', claims: { mfa: true } };
    const rules = accessRules({ rules: [{ ...all, subjects }] });
    const may = (user: string, groups: string[], claims: Identity['claims']): boolean =>
      rules.decide(identityOf(user, { groups, claims }), 'pull', 'a').allowed;
    expect(may('bob', ['dev'], { mfa: true })).toBe(true);
    expect(may('carol', ['dev'], { mfa: true })).toBe(false);
    expect(may('bob', ['ops'], { mfa: true })).toBe(false);
    expect(may('bob', ['dev'], {})).toBe(false);
  });

  test('end an identity at its time, also a remembered one', () => {
    let now = 0;
    const rules = accessRules({ rules: [all] }, { now: () => now });
    const alice = identityOf('alice', { expires: 100 });
    expect(rules.decide(alice, 'pull', 'a').allowed).toBe(true);
    now = 99;
    expect(rules.decide(alice, 'pull', 'a').allowed).toBe(true);
    now = 100;
    expect(rules.decide(alice, 'pull', 'a').allowed).toBe(false);
    expect(rules.mayList(alice, 'a')).toBe(false);
    expect(rules.mayListSome(alice)).toBe(false);
  });

  test('remember decisions for an identity object, and never for another one of that name', () => {
    const rules = accessRules({ rules: [{ ...all, subjects: { group: 'dev' } }] });
    const member = identityOf('alice', { groups: ['dev'] });
    expect(rules.decide(member, 'pull', 'a')).toBe(rules.decide(member, 'pull', 'a'));
    expect(rules.decide(identityOf('alice'), 'pull', 'a').allowed).toBe(false);
  });

  test('list what may be pulled or listed, and nothing else', () => {
    const rules = accessRules({
      rules: [
        { allow: 'pull', repositories: 'a', subjects: 'anonymous' },
        { allow: 'list', repositories: 'b', subjects: 'anonymous' },
        { allow: 'push-only', repositories: 'c', subjects: { user: 'scanner' } },
        { deny: 'list', repositories: 'a', subjects: { user: 'bob' } },
      ],
    });
    const listed = (identity: Identity): string[] =>
      ['a', 'b', 'c', 'A'].filter((name) => rules.mayList(identity, name));
    expect(listed(anonymous)).toEqual(['a', 'b']);
    expect(listed(identityOf('bob'))).toEqual(['b']);
    expect(rules.mayListSome(anonymous)).toBe(true);
    const pushing = accessRules({ rules: [{ allow: 'push-only', repositories: '**', subjects: 'anonymous' }] });
    expect(pushing.mayListSome(anonymous)).toBe(false);
  });

  test('cost as much for ten thousand as for ten, as far as they are for others', () => {
    const many = (count: number) =>
      accessRules({
        rules: Array.from({ length: count }, (_, i): AccessRule[] => [
          { allow: 'push', repositories: `team-${i}/**`, subjects: { group: `team-${i}` } },
          { allow: 'pull', repositories: '**', subjects: { user: `user-${i}` } },
        ]).flat(),
      });
    /** Milliseconds for decisions about repositories that were not asked for before. */
    const timeOf = (rules: ReturnType<typeof accessRules>): number => {
      const identity = identityOf('user-3', { groups: ['team-7'] });
      const began = performance.now();
      for (let i = 0; i < 3000; i++) rules.decide(identity, 'push', `team-7/app-${i}`);
      return performance.now() - began;
    };
    const [few, lots] = [many(10), many(5000)];
    const [fewTimes, lotsTimes]: [number[], number[]] = [[], []];
    for (let i = 0; i < 3; i++) {
      fewTimes.push(timeOf(few));
      lotsTimes.push(timeOf(lots));
    }
    // A look at each rule would take 500 times as long.
    expect(Math.min(...lotsTimes)).toBeLessThan(20 * Math.min(...fewTimes) + 100);
    expect(lots.decide(identityOf('user-3', { groups: ['team-7'] }), 'push', 'team-7/new').allowed).toBe(true);
  });
});

describe('granted scopes', () => {
  const rules = accessRules({
    rules: [
      { allow: 'pull', repositories: 'public/**', subjects: 'anonymous' },
      { allow: ['push', 'overwrite'], repositories: 'team/**', subjects: { user: 'alice' } },
      { allow: 'push-only', repositories: 'drop', subjects: { user: 'alice' } },
    ],
  });
  const alice = identityOf('alice');
  test.each([
    [anonymous, 'repository:public/a:pull,push', 'public/a:pull'],
    [anonymous, 'repository:team/a:pull', ''],
    [anonymous, '', ''],
    [alice, 'repository:team/a:pull,push', 'team/a:pull,push'],
    [alice, 'repository:team/a:push,pull,delete', 'team/a:push,pull'],
    [alice, 'repository:team/a:*', 'team/a:pull,push,push-only,overwrite,list'],
    [alice, 'repository:team/a:pull repository:public/b:pull repository:team/a:push', 'team/a:pull,push public/b:pull'],
    [alice, 'repository:drop:pull,push', 'drop:push'],
    [alice, 'repository:team/a:pull,fly', 'team/a:pull'],
    [alice, 'repository:team/*:pull repository:**:pull repository:Team/a:pull repository:team//a:pull', ''],
    [alice, 'registry:catalog:*', 'catalog:*'],
    [alice, 'registry:catalog:pull registry:other:*', ''],
    [alice, 'plugin:team/a:pull', ''],
  ])('(%#) are the part of a request that rules allow', (identity, requested, granted) => {
    const scopes = grantedScopes(rules, identity, parseScopes(requested));
    expect(scopes.map(({ name, actions }) => `${name}:${actions.join(',')}`).join(' ')).toBe(granted);
  });

  test('are no more than the scopes of the login', () => {
    const robot = identityOf('alice', { scopes: parseScopes('repository:team/*:pull') });
    const granted = grantedScopes(rules, robot, parseScopes('repository:team/a:pull,push repository:public/a:pull'));
    expect(granted).toEqual([{ type: 'repository', name: 'team/a', actions: ['pull'] }]);
  });
});

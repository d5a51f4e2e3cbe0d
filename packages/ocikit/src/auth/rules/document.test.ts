import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseDocument, RulesError } from './document.ts';

function problemsOf(document: unknown): string[] {
  try {
    parseDocument(document);
  } catch (error) {
    if (error instanceof RulesError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

const rule = { allow: 'pull', repositories: '**', subjects: 'anonymous' };

describe('a document of rules', () => {
  test.each([
    [{ rules: [] }],
    [{ rules: [rule] }],
    [{ groups: { dev: ['alice'], empty: [], later: null }, rules: [{ ...rule, name: 'all' }] }],
    [{ rules: [{ deny: '*', repositories: ['a', 'b/*'], subjects: ['everyone', { user: 'a', group: ['b', 'c'] }] }] }],
    [{ rules: [{ ...rule, subjects: { claims: { ref: ['a', 'b'], number: 5, ok: true } } }] }],
  ])('is accepted as %j', (document) => {
    expect(problemsOf(document)).toEqual([]);
  });

  test.each([
    [undefined, ': it is empty, and must be a document of rules with groups, rules'],
    [null, ': it is empty'],
    ['', ': it is the text ""'],
    [[], ': it is a list'],
    [{}, ': rules is missing: write an empty list to deny everything'],
    [{ rules: {} }, 'rules: it is an object, and must be a list'],
    [{ rules: null }, 'rules: it is empty, and must be a list'],
    [{ rule: [rule] }, 'rule: the field is unknown: did you mean rules?'],
    [{ rules: [null] }, 'rules[0]: it is empty, and must be a rule'],
    [{ rules: ['allow'] }, 'rules[0]: it is the text "allow"'],
    [{ rules: [{ ...rule, allow: undefined }] }, 'rules[0]: it has neither allow nor deny'],
    [{ rules: [{ ...rule, deny: 'push' }] }, 'rules[0]: it has both allow and deny'],
    [{ rules: [{ ...rule, allow: [] }] }, 'rules[0].allow: the list is empty'],
    [{ rules: [{ ...rule, allow: 'pul' }] }, 'rules[0].allow: "pul" is no action: did you mean pull?'],
    [{ rules: [{ ...rule, allow: ['pull', 'overwite'] }] }, 'rules[0].allow[1]: "overwite" is no action: did you mean'],
    [{ rules: [{ ...rule, allow: 'Pull' }] }, 'rules[0].allow: "Pull" is no action: did you mean pull?'],
    [{ rules: [{ ...rule, allow: 'read' }] }, 'rules[0].allow: "read" is no action: use pull, push, push-only'],
    [{ rules: [{ ...rule, allow: ['*'] }] }, 'rules[0].allow[0]: "*" is no action: write * alone'],
    [{ rules: [{ ...rule, allow: 5 }] }, 'rules[0].allow: it is the number 5'],
    [{ rules: [rule, { ...rule, repositories: ['a', 'B'] }] }, 'rules[1].repositories[1]: "B": upper-case'],
    [{ rules: [{ ...rule, repositories: [] }] }, 'rules[0].repositories: the list is empty'],
    [{ rules: [{ ...rule, repositories: undefined }] }, 'rules[0].repositories: it is missing'],
    [{ rules: [{ ...rule, repositories: 5 }] }, 'rules[0].repositories: it is the number 5, and must be a pattern'],
    [
      { rules: [{ ...rule, repository: 'a' }] },
      'rules[0].repository: the field is unknown: did you mean repositories?',
    ],
    [{ rules: [{ ...rule, subjects: undefined }] }, 'rules[0].subjects: it is missing'],
    [{ rules: [{ ...rule, subjects: [] }] }, 'rules[0].subjects: the list is empty'],
    [
      { rules: [{ ...rule, subjects: 'anonymus' }] },
      'rules[0].subjects: "anonymus" is no subject: did you mean anonymous?',
    ],
    [
      { rules: [{ ...rule, subjects: 'alice' }] },
      '"alice" is no subject: use anonymous, authenticated or everyone. A user',
    ],
    [
      { rules: [{ ...rule, subjects: ['group:dev'] }] },
      'rules[0].subjects[0]: "group:dev" is no subject: write an object',
    ],
    [{ rules: [{ ...rule, subjects: {} }] }, 'rules[0].subjects: the subject is empty'],
    [{ rules: [{ ...rule, subjects: { claims: {} } }] }, 'rules[0].subjects: the subject is empty'],
    [
      { rules: [{ ...rule, subjects: { users: 'a' } }] },
      'rules[0].subjects.users: the field is unknown: did you mean user?',
    ],
    [{ rules: [{ ...rule, subjects: { user: [] } }] }, 'rules[0].subjects.user: the list is empty'],
    [{ rules: [{ ...rule, subjects: { user: null } }] }, 'rules[0].subjects.user: it is missing'],
    [{ rules: [{ ...rule, subjects: { user: 1234 } }] }, 'and must be the name of a user: put it in quotes'],
    [{ rules: [{ ...rule, subjects: { user: '' } }] }, 'rules[0].subjects.user: it is empty'],
    [{ rules: [{ ...rule, subjects: { claims: { ref: {} } } }] }, 'rules[0].subjects.claims.ref: it is an object'],
    [{ rules: [{ ...rule, subjects: { claims: { 'a b': null } } }] }, 'rules[0].subjects.claims["a b"]: it is missing'],
    [{ rules: [{ ...rule, subjects: { claims: 'ref' } }] }, 'rules[0].subjects.claims: it is the text "ref"'],
    [{ rules: [{ ...rule, name: '' }] }, 'rules[0].name: it is empty'],
    [{ rules: [], groups: { dev: 'alice' } }, 'groups.dev: it is the text "alice", and must be a list'],
    [{ rules: [], groups: { dev: ['alice', 5] } }, 'groups.dev[1]: it is the number 5'],
    [{ rules: [], groups: ['dev'] }, 'groups: it is a list'],
    [JSON.parse('{"rules":[],"__proto__":{}}'), '__proto__: the field is unknown'],
  ])('is refused as %j', (document: unknown, problem) => {
    const problems = problemsOf(document);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test('is accepted or refused, whatever it is', () => {
    const word = fc.constantFrom('pull', '*', 'a/**', 'anonymous', 'everyone', 'x', '');
    const value = fc.oneof(word, fc.array(word), fc.jsonValue({ maxDepth: 2 }), fc.record({ user: word }));
    const anyRule = fc.record({ allow: value, repositories: value, subjects: value }, { requiredKeys: [] });
    const anyDocument = fc.oneof(fc.anything(), fc.jsonValue(), fc.record({ rules: fc.array(anyRule), groups: value }));
    fc.assert(
      fc.property(anyDocument, (document) => {
        expect(problemsOf(document).every((problem) => problem.length < 500)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('is refused with all of its faults at once', () => {
    const document = {
      group: {},
      rules: [
        { allow: 'x', repositories: 'A', subjects: 'y' },
        { ...rule, deny: 'pull' },
      ],
    };
    expect(problemsOf(document).map((problem) => problem.split(':')[0])).toEqual([
      'group',
      'rules[0].allow',
      'rules[0].repositories',
      'rules[0].subjects',
      'rules[1]',
    ]);
    expect(() => parseDocument(document)).toThrow('rules[0].repositories: "A": upper-case');
  });
});

// Checks each row of the table in the guide.
import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { anonymous, identityOf } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import { accessRules } from './access-rules.ts';
import { isAccessAction } from './actions.ts';
import type { Decision } from './decision.ts';
import type { RulesDocument } from './document.ts';

const guide = readFileSync(new URL('../../../../../docs/guides/access.md', import.meta.url), 'utf8');
const section = guide.slice(guide.indexOf('### A table'), guide.indexOf('## Scopes'));
const blocks = Array.from(section.matchAll(/```json\n([^]*?)```/g), ([, text = '']) => text);
const document = JSON.parse(blocks[0] ?? '') as RulesDocument;
const callers = JSON.parse(blocks[1] ?? '') as Record<string, Partial<Identity>>;

const rows = Array.from(
  section.matchAll(/^\| (\S+) +\| `(\S+)` +\| (\S+) +\| (yes|no) +\| (.+?) +\|$/gm),
  ([, caller = '', action = '', repository = '', verdict = '', because = '']) => ({
    caller,
    action,
    repository,
    verdict,
    because,
  }),
);

function identityFor(caller: string): Identity {
  const { user, ...details } = callers[caller] ?? {};
  return user === undefined ? anonymous : identityOf(user, details);
}

function causeOf({ rule, reason }: Decision): string {
  if (rule !== undefined) return rule.path;
  if (reason.endsWith('the login has expired')) return 'the end';
  if (reason.endsWith('the scopes of this login do not include it')) return 'the scopes';
  if (reason.endsWith('is not the name of a repository')) return 'the name';
  return reason.endsWith('no rule allows it') ? 'no rule' : reason;
}

describe('the table in the guide', () => {
  test('has more than fifty rows, with each caller, action and rule', () => {
    expect(rows.length).toBeGreaterThan(70);
    expect(section.match(/^\| \S+ +\| `/gm)).toHaveLength(rows.length);
    expect(new Set(rows.map(({ caller }) => caller))).toEqual(new Set(Object.keys(callers)));
    expect(new Set(rows.map(({ action }) => action))).toEqual(
      new Set(['pull', 'push', 'push-only', 'overwrite', 'delete', 'list', 'history']),
    );
    const places = document.rules.map((_, i) => `rules[${i}]`);
    expect(places.filter((place) => !rows.some(({ because }) => because === place))).toEqual([]);
  });

  test.each(rows)('$caller: $action $repository: $verdict ($because)', ({ caller, action, repository, ...row }) => {
    if (!isAccessAction(action)) throw new Error(action);
    const decision = accessRules(document).decide(identityFor(caller), action, repository);
    expect({ verdict: decision.allowed ? 'yes' : 'no', because: causeOf(decision) }).toEqual(row);
  });

  test.each(rows)('$caller: $action $repository: does not depend on the order of rules', (row) => {
    const { caller, action, repository, verdict } = row;
    if (!isAccessAction(action)) throw new Error(action);
    const reversed = accessRules({ ...document, rules: document.rules.toReversed() });
    expect(reversed.decide(identityFor(caller), action, repository).allowed).toBe(verdict === 'yes');
  });
});

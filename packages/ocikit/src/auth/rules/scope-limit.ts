// The limit that the scopes of a login put on what rules allow.
import type { ResourceActions } from '../../model/index.ts';

import { PatternTree, parsePattern } from '../patterns/index.ts';

import { judgedActions } from './actions.ts';
import type { JudgedAction } from './actions.ts';

/**
 * The actions that a word of a scope leaves. The token protocol knows `pull`, `push` and `delete`, so each leaves what
 * clients do with it.
 */
const leftBy: Readonly<Record<string, readonly JudgedAction[]>> = {
  pull: ['pull', 'list', 'history'],
  push: ['push', 'overwrite'],
  'push-only': ['push', 'overwrite'],
  overwrite: ['overwrite'],
  delete: ['delete'],
  list: ['list'],
  history: ['history'],
  '*': judgedActions,
};

/** Says which actions scopes leave in a repository. */
export type ScopeLimit = (repository: string) => ReadonlySet<JudgedAction>;

/** The limit of scopes, whose names may be patterns. Undefined: there is none. */
export function scopeLimit(scopes: readonly ResourceActions[] | undefined): ScopeLimit | undefined {
  if (scopes === undefined) return undefined;
  const tree = new PatternTree<Set<JudgedAction>>();
  for (const { type, name, actions } of scopes) {
    if (type !== 'repository') continue;
    const pattern = parsePattern(name);
    if (typeof pattern === 'string') continue;
    const left = tree.at(pattern, () => new Set());
    for (const word of actions) {
      if (Object.hasOwn(leftBy, word)) for (const action of leftBy[word] ?? []) left.add(action);
    }
  }
  return (repository) => {
    const all = new Set<JudgedAction>();
    for (const left of tree.find(repository, undefined)) for (const action of left) all.add(action);
    return all;
  };
}

// Scope strings of the token protocol, such as `repository:team/app:pull,push`, as data and back.
import type { ResourceActions } from '../../model/index.ts';

/** Characters of all scopes of a request together. Larger requests are refused before they are parsed. */
const longestScope = 16 * 1024;

/**
 * Parses the scopes of a token request: `TYPE:NAME:ACTION[,ACTION…]`. A resource that is named twice is united. Parts
 * of another form are ignored, as the specification demands. Distribution, "Token Scope Documentation".
 *
 * @example parseScopes(['repository:a:pull', 'repository:a:push'])
 * // [{ type: 'repository', name: 'a', actions: ['pull', 'push'] }]
 * @param texts each may hold several scopes, joined by spaces: the values of all parameters `scope`
 * @returns one entry for each resource, in the order of the first mention; each action once
 */
export function parseScopes(texts: string | readonly string[]): ResourceActions[] {
  const all = typeof texts === 'string' ? [texts] : texts;
  if (all.reduce((sum, text) => sum + text.length, 0) > longestScope) return [];
  const parts = all.flatMap((text) => text.split(' '));
  return unitedScopes(parts.map(parsePart).filter((part) => part !== undefined));
}

/** A name may contain colons: a repository behind a host and port does. */
function parsePart(part: string): ResourceActions | undefined {
  const [, type, name, list = ''] = /^([^:]+):(.+):([^:]*)$/.exec(part) ?? [];
  if (type === undefined || name === undefined) return undefined;
  const actions = list.split(',').filter((action) => action !== '');
  // `repository(plugin)` names a class of a repository, as Docker Hub's clients did.
  return { type: type.replace(/\([a-z0-9]+\)$/, ''), name, actions };
}

/**
 * Unites entries of one resource. Entries without an action are left out.
 *
 * @example
 * const pull = { type: 'repository', name: 'a', actions: ['pull'] };
 * unitedScopes([pull, { ...pull, actions: ['push'] }]).length // 1
 */
export function unitedScopes(scopes: readonly ResourceActions[]): ResourceActions[] {
  const found = new Map<string, { type: string; name: string; actions: Set<string> }>();
  for (const { type, name, actions } of scopes) {
    const key = `${type}:${name}`;
    const entry = found.get(key) ?? { type, name, actions: new Set() };
    found.set(key, entry);
    for (const action of actions) entry.actions.add(action);
  }
  return [...found.values()]
    .filter(({ actions }) => actions.size > 0)
    .map(({ type, name, actions }) => ({ type, name, actions: [...actions] }));
}

/**
 * The text of scopes: one scope for each resource, joined by spaces. The inverse of {@link parseScopes}.
 *
 * @example formatScopes([{ type: 'repository', name: 'a', actions: ['pull', 'push'] }]) // 'repository:a:pull,push'
 */
export function formatScopes(scopes: readonly ResourceActions[]): string {
  return unitedScopes(scopes)
    .map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`)
    .join(' ');
}

/**
 * True if the scopes include an action on a resource.
 *
 * @example scopesInclude(parseScopes('repository:a:pull'), 'repository', 'a', 'push') // false
 */
export function scopesInclude(scopes: readonly ResourceActions[], type: string, name: string, action: string): boolean {
  return scopes.some(
    (scope) =>
      scope.type === type && scope.name === name && (scope.actions.includes(action) || scope.actions.includes('*')),
  );
}

/** One action on one resource, as token servers name it: `repository:library/alpine:pull`. */
export interface ResourceScope {
  /** `repository`, `registry`, or another type; the whole text if it does not have three parts. */
  type: string;
  /** A repository's name; `catalog`. */
  resource: string;
  /** `pull`, `push`, `delete`; `*` for all of them. */
  action: string;
}

/** The permissions that a request needs. */
export type Scope = readonly ResourceScope[];

/** The permissions for actions in a repository. A push needs `pull` too: registries ask for both. */
export function repositoryScope(resource: string, ...actions: ('pull' | 'push' | 'delete')[]): Scope {
  return actions.map((action) => ({ type: 'repository', resource, action }));
}

/**
 * Parses what is written in a challenge or a token's answer: `TYPE:RESOURCE:ACTION[,ACTION…]`, several parted by
 * spaces. A part of another form is kept as it is. distribution, "Token Scope Documentation".
 */
export function parseScope(text: string): Scope {
  return text.split(' ').flatMap((part) => {
    if (part === '') return [];
    // A resource may have a colon in it, as a repository with a host does.
    const [, type, resource, actions = ''] = /^([^:]+):(.+):([^:]+)$/.exec(part) ?? [];
    const named = actions.split(',').filter((action) => action !== '');
    if (type === undefined || resource === undefined || named.length === 0) {
      return [{ type: part, resource: '', action: '' }];
    }
    return named.map((action) => ({ type, resource, action }));
  });
}

/** One text for each resource, with its actions; sorted, each action once. */
export function formatScope(scope: Scope): string[] {
  const actions = new Map<string, Set<string>>();
  for (const { type, resource, action } of scope) {
    const name = resource === '' ? type : `${type}:${resource}:`;
    actions.set(name, (actions.get(name) ?? new Set()).add(action));
  }
  return [...actions].map(([name, of]) => name + [...of].toSorted().join(',')).toSorted();
}

/** The scope that allows both. */
export function unionScopes(one: Scope, other: Scope): Scope {
  return [...one, ...other.filter((wanted) => !allows(one, wanted))];
}

/** Whether a token for `scope` is also good for `wanted`. */
export function scopeContains(scope: Scope, wanted: Scope): boolean {
  return wanted.every((one) => allows(scope, one));
}

function allows(scope: Scope, { type, resource, action }: ResourceScope): boolean {
  return scope.some(
    (one) => one.type === type && one.resource === resource && (one.action === action || one.action === '*'),
  );
}

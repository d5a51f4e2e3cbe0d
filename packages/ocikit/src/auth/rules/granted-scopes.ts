// The scopes that a token gets: the part of a request that the rules allow.
import type { Identity, ResourceActions } from '../../model/index.ts';

import { unitedScopes } from '../scopes/index.ts';

import type { AccessRules } from './access-rules.ts';
import { accessActions, isAccessAction } from './actions.ts';

/**
 * The part of the requested scopes that the rules allow to a caller. Types other than `repository` and
 * `registry:catalog:*`, unknown actions and names that are no repository's are left out, as the token protocol demands.
 *
 * @example grantedScopes(rules, anonymous, parseScopes('repository:library/alpine:pull,push'))
 * // [{ type: 'repository', name: 'library/alpine', actions: ['pull'] }]
 * @param requested see {@link parseScopes}. The action `*` of a repository asks for all actions
 * @returns maybe nothing
 */
export function grantedScopes(
  rules: AccessRules,
  identity: Identity,
  requested: readonly ResourceActions[],
): ResourceActions[] {
  return unitedScopes(
    requested.map(({ type, name, actions }) => {
      if (type === 'registry' && name === 'catalog' && actions.includes('*') && rules.mayListSome(identity)) {
        return { type, name, actions: ['*'] };
      }
      const wanted = actions.includes('*') ? accessActions : actions.filter((action) => isAccessAction(action));
      const granted = type === 'repository' ? wanted.filter((one) => rules.decide(identity, one, name).allowed) : [];
      return { type, name, actions: granted };
    }),
  );
}

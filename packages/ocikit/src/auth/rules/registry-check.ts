// Rules as the check of a registry view: the place where each call of a registry is judged.
import { anonymous, RegistryError } from '../../model/index.ts';
import type { CallContext } from '../../model/index.ts';

import type { AccessRules } from './access-rules.ts';
import type { AccessAction } from './actions.ts';
import { judgeCall } from './judge-call.ts';

/** A call of a registry, as `accessChecker` of `ocikit/views` describes it. */
export interface CheckedCall {
  /** The repository. Default: the call is about the list of all repositories. */
  repository?: string | undefined;
  /** The kind of access. */
  access: 'delete' | 'history' | 'list' | 'overwrite' | 'read' | 'show' | 'write';
  /** The tag that would be moved. */
  tag?: string | undefined;
  /** The caller. */
  context: CallContext | undefined;
}

const actions: Readonly<Record<CheckedCall['access'], AccessAction>> = {
  delete: 'delete',
  history: 'history',
  list: 'list',
  overwrite: 'overwrite',
  read: 'pull',
  show: 'list',
  write: 'push',
};

/**
 * Returns the check that lets rules judge each call of a registry. Calls without an identity are anonymous.
 *
 * @example const guarded = accessChecker(registry, registryCheck(rules));
 */
export function registryCheck(rules: AccessRules): (call: CheckedCall) => void {
  return ({ repository, access, tag, context }) => {
    const identity = context?.identity ?? anonymous;
    if (repository === undefined) {
      if (!rules.mayListSome(identity)) throw new RegistryError('DENIED', 'no rule shows this caller any repository');
      return;
    }
    // A token for the list alone names no repository.
    if (access === 'show' && rules.mayList(identity, repository)) return;
    const decision = judgeCall(rules, identity, actions[access], repository);
    if (decision.allowed) return;
    const { reason } = decision;
    throw new RegistryError('DENIED', tag === undefined ? reason : `the tag ${tag} exists, and ${reason}`);
  };
}

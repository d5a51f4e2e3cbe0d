// The decision about a call, whose token may be narrower than the rights of everyone.
import { anonymous } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import type { AccessRules } from './access-rules.ts';
import type { AccessAction } from './actions.ts';
import type { Decision } from './decision.ts';

/**
 * Judges an action. A token narrows what its user may do, but not what everyone may: its client could leave it out. So
 * a push can mount from a public repository that its token does not name.
 *
 * @example if (!judgeCall(rules, identity, 'pull', 'public/app').allowed) throw refusal;
 */
export function judgeCall(rules: AccessRules, identity: Identity, action: AccessAction, repository: string): Decision {
  const decision = rules.decide(identity, action, repository);
  const { login } = identity;
  // A rule that denies it to the user itself has the last word.
  if (decision.allowed || login === undefined || !rules.decide(login, action, repository).allowed) return decision;
  const everyone = rules.decide(anonymous, action, repository);
  return everyone.allowed ? everyone : decision;
}

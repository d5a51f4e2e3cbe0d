// Access rules: who may do what, in which repositories.
export { accessRules } from './access-rules.ts';
export type { AccessRules, AccessRulesOptions } from './access-rules.ts';
export { accessActions, isAccessAction } from './actions.ts';
export type { AccessAction } from './actions.ts';
export type { DecidingRule, Decision } from './decision.ts';
export { RulesError } from './document.ts';
export type { AccessRule, ClaimValue, RulesDocument, RulesProblem, Subject } from './document.ts';
export * from './granted-scopes.ts';
export { judgeCall } from './judge-call.ts';
export { registryCheck } from './registry-check.ts';
export type { CheckedCall } from './registry-check.ts';

// Decisions about callers: identities, passwords, robots, rules and scopes. No HTTP.
export { anonymous, identityOf, isAnonymous } from '../model/index.ts';
export type { Identity, ResourceActions } from '../model/index.ts';
export * from './scopes/index.ts';

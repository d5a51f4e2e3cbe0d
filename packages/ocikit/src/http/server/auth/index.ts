// Access control on the wire: challenges, credentials, the token endpoint.
export { accessControl } from './access-control.ts';
export type { AccessControl, AccessControlOptions, AuditEntry } from './access-control.ts';
export type { Logins } from './authenticator.ts';

// Access control on the wire: challenges, credentials, the token endpoint.
export { accessControl } from './access-control.ts';
export type { AccessControl } from './access-control.ts';
export type { Logins } from './authenticator.ts';
export type { AccessControlOptions, AuditEntry } from './options.ts';

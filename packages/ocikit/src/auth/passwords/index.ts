// Users that log in with a password.
export * from './hash-password.ts';
export { htpasswd } from './htpasswd.ts';
export type { HtpasswdOptions } from './htpasswd.ts';
export { HtpasswdError, removeHtpasswdUser, setHtpasswdUser, unfitUserName } from './htpasswd-text.ts';
export type { HtpasswdProblem } from './htpasswd-text.ts';
export * from './static-users.ts';
export * from './users.ts';

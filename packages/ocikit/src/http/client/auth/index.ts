export { createAuthenticator } from './authenticator.ts';
export type { Authenticator, AuthenticatorOptions, Authorization, TokenRequestInfo } from './authenticator.ts';
export type { Credential, Credentials } from './credentials.ts';
export * from './scope.ts';

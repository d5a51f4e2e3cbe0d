export { createAuthenticator } from './authenticator.ts';
export type { Authenticator, Authorization } from './authenticator.ts';
export type { Credential, Credentials } from './credentials.ts';
export type { AuthenticatorOptions, TokenRequestInfo } from './options.ts';

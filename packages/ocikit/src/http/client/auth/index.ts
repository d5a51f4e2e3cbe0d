// The identity of the client: tokens, challenges, and which servers may be given secrets.
export { createAuthenticator } from './authenticator.ts';
export type { Authenticator, Authorization } from './authenticator.ts';
export type { AuthenticatorOptions, TokenRequestInfo } from './options.ts';

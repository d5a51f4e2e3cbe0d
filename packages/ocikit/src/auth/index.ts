// Decisions about callers: identities, passwords, robots, rules and scopes. No HTTP.
export { anonymous, identityOf, isAnonymous } from '../model/index.ts';
export type { Identity, ResourceActions } from '../model/index.ts';
export type { Bcrypt } from './bcrypt/index.ts';
export * from './issuers/index.ts';
export * from './logins/index.ts';
export { combineUsers, hashPassword, htpasswd, HtpasswdError } from './passwords/index.ts';
export { removeHtpasswdUser, setHtpasswdUser, staticUsers, usersFrom } from './passwords/index.ts';
export type { HashPasswordOptions, HtpasswdOptions, HtpasswdProblem, StaticUser } from './passwords/index.ts';
export type { LoginOrigin, PasswordCheck, UserEntry, Users } from './passwords/index.ts';
export * from './robots/index.ts';
export * from './rules/index.ts';
export * from './scopes/index.ts';
export { claimedBy, combineTokens, formatKeys, memoryKeys, openSigningKeys, parseKeys } from './tokens/index.ts';
export { signingKeyFrom, tokenIssuer } from './tokens/index.ts';
export type {
  AccessDetails,
  AccessToken,
  ClaimedToken,
  KeyRecord,
  KeySet,
  KeyStore,
  PrivateJwk,
  PublicJwk,
} from './tokens/index.ts';
export type { SigningKey, SigningKeys, SigningKeysOptions } from './tokens/index.ts';
export type { TokenCheck, TokenIssuer, TokenIssuerOptions } from './tokens/index.ts';

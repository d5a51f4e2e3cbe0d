// Tokens of our own: keys that sign them, access and refresh tokens.
export { memoryKeys } from './key-record.ts';
export type { KeyRecord, KeyStore, PrivateJwk, PublicJwk } from './key-record.ts';
export { formatKeys, parseKeys } from './keys-text.ts';
export { loadJose } from './load-jose.ts';
export { openSigningKeys, signingKeyFrom } from './signing-keys.ts';
export type { KeySet, SigningKey, SigningKeys, SigningKeysOptions } from './signing-keys.ts';
export { combineTokens } from './token-check.ts';
export type { TokenCheck } from './token-check.ts';
export { refusalOf, tokenRefused } from './token-error.ts';
export { tokenIssuer } from './token-issuer.ts';
export type { AccessDetails, AccessToken, TokenIssuer, TokenIssuerOptions } from './token-issuer.ts';
export { claimedBy, longestToken } from './token-text.ts';
export type { ClaimedToken } from './token-text.ts';

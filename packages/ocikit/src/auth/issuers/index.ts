// Tokens of others: OpenID Connect issuers, and claims that become users and groups.
export type { FetchJson } from './fetched-json.ts';
export type { IssuerKeySet } from './issuer-keys.ts';
export { oidcIssuer } from './oidc-issuer.ts';
export type { Claims, OidcIssuerOptions } from './oidc-issuer.ts';

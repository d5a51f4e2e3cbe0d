// Knows callers by tokens of other issuers: jobs of pipelines, workloads, another token service.
import type { CryptoKey } from 'jose';

import { identityOf } from '../../model/index.ts';
import type { Identity, ResourceActions } from '../../model/index.ts';
import { unitedScopes } from '../scopes/index.ts';
import { Recent } from '../shared/index.ts';
import { claimedBy, loadJose, refusalOf, tokenRefused } from '../tokens/index.ts';
import type { TokenCheck } from '../tokens/index.ts';

import type { FetchJson } from './fetched-json.ts';
import { IssuerKeys } from './issuer-keys.ts';
import type { IssuerKeySet } from './issuer-keys.ts';

/** The claims of a token, as its issuer has signed them. */
export type Claims = Readonly<Record<string, unknown>>;

/** Options of {@link oidcIssuer}. */
export interface OidcIssuerOptions {
  /** The issuer, exactly as its tokens name it in `iss`: `https://token.actions.githubusercontent.com`, for example. */
  issuer: string;
  /**
   * A name of yours for the issuer. Its users are called `NAME:USER` and its groups `NAME:GROUP`, so that no user
   * there passes for one of yours.
   */
  name: string;
  /** The audience that a token must be for. */
  audience: string;
  /** The user that the claims name; undefined refuses the token. Default: the claim `sub` */
  user?: ((claims: Claims) => string | undefined) | undefined;
  /** The groups that the claims name. Default: none */
  groups?: ((claims: Claims) => readonly string[]) | undefined;
  /**
   * The tokens are those of a token service: their claim `access` is the most that they may be used for, and without it
   * they may be used for nothing. Default: false; rules alone say what a caller may do
   */
  accessClaim?: boolean | undefined;
  /** The public keys. Default: they are fetched */
  keys?: IssuerKeySet | undefined;
  /** The address of the public keys. Default: the issuer's discovery document names it */
  jwksUri?: string | undefined;
  /** Fetches discovery and keys, with authorities of your own for example. Default: the runtime's `fetch` */
  fetch?: FetchJson | undefined;
  /** The header `Authorization` for the issuer, read at each fetch: Kubernetes wants `Bearer TOKEN`. Default: none */
  authorization?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Milliseconds for which keys are not fetched again. Default: 10 minutes */
  maxAge?: number | undefined;
  /** The time in milliseconds since 1970. Default: `Date.now` */
  now?: (() => number) | undefined;
}

/** The algorithms of signatures. None of them works with a shared secret. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** Seconds by which the clocks of several machines may differ. */
const clockTolerance = 5;
/** Verified tokens that are remembered: 10 MiB at most. */
const mostRemembered = 1024;
/** Characters of the name of a user or a group. */
const longestName = 512;

/**
 * Knows callers by the tokens of an OpenID Connect issuer: GitHub Actions, GitLab, Kubernetes, or any other. Tokens
 * have at most 10 KiB.
 *
 * Nothing is fetched before the first token comes. Keys are fetched again after `maxAge`, and at most once a minute
 * because of a token with an unknown key. While the issuer does not answer, its last keys are used for up to an hour.
 *
 * @example
 * const gitlab = oidcIssuer({
 *   name: 'gitlab',
 *   issuer: 'https://gitlab.example',
 *   audience: 'registry.example',
 *   user: ({ project_path }) => (typeof project_path === 'string' ? project_path : undefined),
 * });
 * const identity = await gitlab.identify(token); // its user is `gitlab:team/app`
 */
export function oidcIssuer(options: OidcIssuerOptions): TokenCheck {
  const { issuer, name, audience, jwksUri } = options;
  for (const [what, url] of [['issuer', issuer], ...(jwksUri === undefined ? [] : [['jwksUri', jwksUri]])] as const) {
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new TypeError(`${what} ${JSON.stringify(url)} is no http URL`);
  }
  if (!/^[\w.-]+$/.test(name)) throw new TypeError(`the name ${JSON.stringify(name)} may have letters, digits, ".-_"`);
  if (audience === '') throw new TypeError('the audience is empty: tokens for every service would be taken');
  return new OidcIssuer(options);
}

interface Verified {
  readonly identity: Identity;
  readonly end: number;
  readonly keys: IssuerKeySet;
}

class OidcIssuer implements TokenCheck {
  readonly #options: OidcIssuerOptions;
  readonly #now: () => number;
  readonly #keys: Pick<IssuerKeys, 'current' | 'renewed'>;
  readonly #verified = new Recent<Verified>(mostRemembered);

  constructor(options: OidcIssuerOptions) {
    this.#options = options;
    const { issuer, keys, jwksUri, authorization, now = Date.now, maxAge = 10 * 60_000 } = options;
    this.#now = now;
    // Not bound at once: a program may replace `fetch` later.
    const { fetch = (url, init) => globalThis.fetch(url, init) } = options;
    this.#keys =
      keys === undefined
        ? new IssuerKeys({ issuer, jwksUri, fetch, authorization, maxAge, now })
        : { current: () => Promise.resolve(keys), renewed: () => Promise.resolve(keys) };
  }

  async identify(token: string): Promise<Identity | undefined> {
    const known = this.#verified.get(token);
    if (known === undefined && claimedBy(token)?.issuer !== this.#options.issuer) return undefined;
    const keys = await this.#keys.current();
    // A key that was withdrawn proves nothing any more.
    if (known !== undefined && known.keys === keys) {
      if (known.end > this.#now()) return known.identity;
      throw tokenRefused('has expired');
    }
    const { claims, end, by } = await this.#verify(token, keys);
    const identity = this.#identityFrom(claims, end);
    this.#verified.set(token, { identity, end, keys: by });
    return identity;
  }

  async #verify(token: string, keys: IssuerKeySet): Promise<{ claims: Claims; end: number; by: IssuerKeySet }> {
    try {
      return await this.#verifyWith(token, keys);
    } catch (error) {
      if (!isNoKey(error)) throw refusalOf(error);
    }
    const renewed = await this.#keys.renewed();
    try {
      return await this.#verifyWith(token, renewed);
    } catch (error) {
      throw isNoKey(error)
        ? tokenRefused(`is signed with a key that ${this.#options.issuer} does not name`)
        : refusalOf(error);
    }
  }

  async #verifyWith(token: string, keys: IssuerKeySet): Promise<{ claims: Claims; end: number; by: IssuerKeySet }> {
    const { createLocalJWKSet, jwtVerify } = await loadJose();
    const { issuer, audience } = this.#options;
    const options = {
      algorithms,
      issuer,
      audience,
      clockTolerance,
      currentDate: new Date(this.#now()),
      requiredClaims: ['exp', 'sub'],
    };
    const found = createLocalJWKSet({ keys: keys.keys.map((key) => ({ kty: '', ...key })) });
    try {
      const { payload } = await jwtVerify(token, found, options);
      return { claims: payload, end: Number(payload.exp) * 1000, by: keys };
    } catch (error) {
      if (!isSeveralKeys(error)) throw error;
      // The token does not say which of the keys it is.
      for await (const key of error) {
        const payload = await jwtVerify(token, key, options).then((verified) => verified.payload, ignoreSignature);
        if (payload !== undefined) return { claims: payload, end: Number(payload.exp) * 1000, by: keys };
      }
      throw tokenRefused('has a wrong signature');
    }
  }

  #identityFrom(claims: Claims, end: number): Identity {
    const { name, user: userOf = subjectOf, groups: groupsOf, accessClaim } = this.#options;
    const user = userOf(claims);
    if (!isName(user)) throw tokenRefused('names no user in its claims');
    const groups = (groupsOf?.(claims) ?? []).filter(isName).map((group) => `${name}:${group}`);
    const scopes = accessClaim === true ? { scopes: accessIn(claims) } : {};
    return identityOf(`${name}:${user}`, { groups, claims, expires: end, ...scopes });
  }
}

function subjectOf({ sub }: Claims): string | undefined {
  return typeof sub === 'string' ? sub : undefined;
}

function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > longestName) return false;
  return Array.from(value).every((char) => char >= ' ' && char !== '\u007f');
}

/** The claim `access`. Distribution, "Token Authentication Implementation". Entries of another form are left out. */
function accessIn({ access }: Claims): ResourceActions[] {
  if (!Array.isArray(access)) return [];
  const entries = access.flatMap((entry: unknown): ResourceActions[] => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { type, name, actions } = entry as Record<string, unknown>;
    if (typeof type !== 'string' || typeof name !== 'string' || !Array.isArray(actions)) return [];
    return [{ type, name, actions: actions.filter((action: unknown) => typeof action === 'string') }];
  });
  return unitedScopes(entries);
}

function isNoKey(error: unknown): boolean {
  return codeOf(error) === 'ERR_JWKS_NO_MATCHING_KEY';
}

function isSeveralKeys(error: unknown): error is AsyncIterable<CryptoKey> {
  return codeOf(error) === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS';
}

function ignoreSignature(error: unknown): undefined {
  if (codeOf(error) !== 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') throw error;
  return undefined;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

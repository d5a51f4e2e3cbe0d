// Issues the tokens of the token protocol, and knows callers by them.
import { anonymous, digestOf, identityOf, isAnonymous } from '../../model/index.ts';
import type { Identity, ResourceActions } from '../../model/index.ts';
import type { UserEntry, Users } from '../passwords/index.ts';
import { unitedScopes } from '../scopes/index.ts';
import { Recent } from '../shared/index.ts';

import { loadJose } from './load-jose.ts';
import type { KeySet, SigningKey, SigningKeys } from './signing-keys.ts';
import type { TokenCheck } from './token-check.ts';
import { refusalOf, tokenRefused } from './token-error.ts';
import { claimedBy } from './token-text.ts';

/** Options of {@link tokenIssuer}. */
export interface TokenIssuerOptions {
  /** The keys that sign. */
  keys: SigningKeys;
  /** The name of the issuer, which other registries are told: often the URL of the token endpoint. */
  issuer: string;
  /** The name of the service that the tokens are for: a challenge's `service`, a token's `aud`. */
  service: string;
  /**
   * The users that log in with a password. A token of one of them ends with its entry and its password. Default: none;
   * then each token carries its identity until it ends.
   */
  users?: Pick<Users, 'find'> | undefined;
  /** Milliseconds for which an access token holds, at least a minute. Default: 15 minutes */
  accessFor?: number | undefined;
  /** Milliseconds for which a refresh token holds. Default: 30 days */
  refreshFor?: number | undefined;
  /** The time in milliseconds since 1970. Default: `Date.now` */
  now?: (() => number) | undefined;
}

/** An access token, as the token endpoint answers it. */
export interface AccessToken {
  /** The token. It is secret. */
  readonly token: string;
  /** Seconds after which a client should ask for another one, at least 60: some clients cannot use less. */
  readonly expiresIn: number;
  /** When it was issued, in milliseconds since 1970. */
  readonly issuedAt: number;
}

/** Details of {@link TokenIssuer.access}. */
export interface AccessDetails {
  /** See {@link Identity.pushing}. Default: none */
  readonly pushing?: readonly string[] | undefined;
  /**
   * False: the identity is that of a certificate or of another issuer, and one of the users may have the same name. The
   * token carries it. Default: true
   */
  readonly isUser?: boolean | undefined;
}

/** Issues tokens, and knows callers by them. */
export interface TokenIssuer extends TokenCheck {
  /** Issues an access token. `scopes` is the most that it may be used for, and may be empty. */
  access(identity: Identity, scopes: readonly ResourceActions[], details?: AccessDetails): Promise<AccessToken>;
  /**
   * Issues a refresh token, which can be used in place of the password until that changes.
   *
   * @returns undefined for a caller that is none of the users, such as a job of a pipeline
   */
  refresh(identity: Identity): Promise<string | undefined>;
  /**
   * Resolves to the user of a refresh token as it is now; undefined: another issuer has made the token.
   *
   * Rejects with UNAUTHORIZED if the token proves nothing any more.
   */
  redeem(refreshToken: string): Promise<Identity | undefined>;
  /** The public keys, for other registries that take these tokens. */
  published(): Promise<KeySet>;
  /** Forgets all verified tokens. Each is verified again. */
  clear(): void;
}

const minute = 60_000;
const accessType = 'JWT';
const refreshType = 'refresh+jwt';
/** Seconds by which the clocks of several machines may differ. */
const clockTolerance = 5;
/** Characters of a token of this issuer: it has the claims of another issuer's token, and the groups made of them. */
const longestOwn = 15 * 1024;
/** Verified tokens that are remembered, and the length of the longest of them: some MiB in all. */
const mostRemembered = 2048;
const longestRemembered = 4096;

/** The part of a token that no other registry reads. */
type Own =
  /** The mark of a user's entry. The identity is looked up. */
  | { readonly mark: string }
  /** The identity itself. */
  | {
      readonly groups?: readonly string[];
      readonly claims?: Record<string, unknown>;
      readonly expires?: number;
      readonly scopes?: readonly ResourceActions[];
    };

interface Payload {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly exp: number;
  readonly iat: number;
  readonly access?: readonly ResourceActions[] | undefined;
  readonly ocikit?: Own | undefined;
  readonly pushing?: readonly string[] | undefined;
}

interface Verified {
  readonly payload: Payload;
  readonly key: SigningKey;
  /** The entry that was found last, and the identity that was made of it. */
  stamp?: string | undefined;
  of?: Identity | undefined;
  identity?: Identity | undefined;
}

/**
 * Issues the tokens of the token protocol and verifies them. Distribution, "Token Authentication Specification".
 *
 * Access tokens are signed with ES256. Other registries can verify them with the published keys, or with the
 * certificates of the key. A token of a user is valid only as long as the user's entry is there and has the same
 * password: both are looked up at each use. Verified tokens are remembered, up to some thousand.
 *
 * @example
 * const keys = await openSigningKeys(keysFile('keys.json'));
 * const tokens = tokenIssuer({ keys, users, issuer: 'https://registry.example/token', service: 'registry.example' });
 * const granted = grantedScopes(rules, identity, parseScopes(scope));
 * const { token, expiresIn } = await tokens.access(identity, granted);
 */
export function tokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  return new Issuer(options);
}

class Issuer implements TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #accessFor: number;
  readonly #refreshFor: number;
  readonly #now: () => number;
  readonly #verified = new Recent<Verified>(mostRemembered);

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
    this.#accessFor = options.accessFor ?? 15 * minute;
    if (!(this.#accessFor >= minute)) throw new RangeError('accessFor is less than a minute, which clients cannot use');
    this.#refreshFor = options.refreshFor ?? 30 * 24 * 60 * minute;
    this.#now = options.now ?? Date.now;
    options.keys.onChange(() => this.clear());
  }

  async access(
    identity: Identity,
    scopes: readonly ResourceActions[],
    { pushing = [], isUser = true }: AccessDetails = {},
  ): Promise<AccessToken> {
    const issuedAt = this.#now();
    const end = Math.min(issuedAt + this.#accessFor, identity.expires ?? Number.POSITIVE_INFINITY);
    const key = await this.#options.keys.current();
    const entry = isUser ? await this.#entryOf(identity) : undefined;
    const access = unitedScopes(scopes);
    const ocikit = entry === undefined ? carried(identity) : { mark: markOf(key, entry) };
    const about = { sub: identity.user ?? '', access, ocikit, ...(pushing.length > 0 && { pushing }) };
    const token = await this.#sign(key, accessType, { ...about, issuedAt, end });
    return { token, expiresIn: Math.max(60, Math.floor((end - issuedAt) / 1000)), issuedAt };
  }

  async refresh(identity: Identity): Promise<string | undefined> {
    const entry = await this.#entryOf(identity);
    if (entry === undefined || identity.user === undefined) return undefined;
    const issuedAt = this.#now();
    const end = Math.min(issuedAt + this.#refreshFor, identity.expires ?? Number.POSITIVE_INFINITY);
    const key = await this.#options.keys.current();
    return this.#sign(key, refreshType, { sub: identity.user, issuedAt, end, ocikit: { mark: markOf(key, entry) } });
  }

  async redeem(refreshToken: string): Promise<Identity | undefined> {
    if (claimedBy(refreshToken, longestOwn)?.issuer !== this.#options.issuer) return undefined;
    const verified = await this.#verify(refreshToken, refreshType);
    return (await this.#entryFor(verified)).identity;
  }

  async identify(token: string): Promise<Identity | undefined> {
    let verified = this.#verified.get(token);
    if (verified === undefined) {
      if (claimedBy(token, longestOwn)?.issuer !== this.#options.issuer) return undefined;
      verified = await this.#verify(token, accessType);
      if (token.length <= longestRemembered) this.#verified.set(token, verified);
    } else if (verified.payload.exp * 1000 <= this.#now()) {
      this.#verified.delete(token);
      throw tokenRefused('has expired');
    }
    return this.#identityOf(verified);
  }

  published(): Promise<KeySet> {
    return this.#options.keys.published();
  }

  clear(): void {
    this.#verified.clear();
  }

  /** The same object for each use of a token, as decisions are remembered by it. */
  async #identityOf(verified: Verified): Promise<Identity> {
    const { payload } = verified;
    const { access: scopes = [], pushing } = payload;
    const limits = { scopes, ...(pushing !== undefined && { pushing }) };
    if (isMarked(payload.ocikit)) {
      const { identity } = await this.#entryFor(verified);
      if (verified.of !== identity) {
        verified.of = identity;
        verified.identity = { ...identity, ...limits, login: identity };
      }
    } else {
      const login = carriedIn(payload);
      verified.identity ??= { ...login, ...limits, login };
    }
    return verified.identity ?? anonymous;
  }

  /** Looks up the user of a token: who has left, or has another password, is refused. */
  async #entryFor(verified: Verified): Promise<UserEntry> {
    const { sub, ocikit } = verified.payload;
    const entries = (await this.#options.users?.find?.(sub)) ?? [];
    const known = entries.find(({ stamp }) => stamp === verified.stamp);
    if (known !== undefined) return known;
    const marked = isMarked(ocikit) ? entries.find((entry) => markOf(verified.key, entry) === ocikit.mark) : undefined;
    if (marked === undefined) throw tokenRefused('is of a user that is gone, or has another password now');
    verified.stamp = marked.stamp;
    return marked;
  }

  async #entryOf(identity: Identity): Promise<UserEntry | undefined> {
    const { users } = this.#options;
    if (identity.user === undefined || users?.find === undefined) return undefined;
    const entries = await users.find(identity.user);
    const found = entries.find((entry) => entry.identity === identity);
    // A token that carried the identity would outlive the entry.
    if (found === undefined && entries.length > 0) throw tokenRefused('would be of a user that has just changed');
    return found;
  }

  async #sign(
    key: SigningKey,
    typ: string,
    about: Pick<Payload, 'access' | 'ocikit' | 'pushing' | 'sub'> & { issuedAt: number; end: number },
  ): Promise<string> {
    const { SignJWT } = await loadJose();
    const { issuer, service } = this.#options;
    const { sub, access, ocikit, pushing } = about;
    const iat = Math.floor(about.issuedAt / 1000);
    const payload = {
      ...(access !== undefined && { access }),
      ...(ocikit !== undefined && { ocikit }),
      ...(pushing !== undefined && { pushing }),
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', typ, kid: key.kid, ...(key.x5c !== undefined && { x5c: [...key.x5c] }) })
      .setIssuer(issuer)
      .setAudience(service)
      .setSubject(sub)
      .setIssuedAt(iat)
      .setNotBefore(iat)
      .setExpirationTime(Math.floor(about.end / 1000))
      .setJti(crypto.randomUUID())
      .sign(key.privateKey);
  }

  async #verify(token: string, typ: string): Promise<Verified> {
    const { jwtVerify } = await loadJose();
    const { keys, issuer, service } = this.#options;
    const key = await keys.find(claimedBy(token, longestOwn)?.kid ?? '');
    if (key === undefined) throw tokenRefused('is signed with a key that is not known here');
    try {
      const { payload } = await jwtVerify(token, key.publicKey, {
        algorithms: ['ES256'],
        issuer,
        audience: service,
        typ,
        clockTolerance,
        currentDate: new Date(this.#now()),
        requiredClaims: ['exp', 'iat', 'sub'],
      });
      if (!isPayload(payload)) throw tokenRefused('is malformed');
      return { payload, key };
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

/** True for what this program has signed: another one with its key may have left claims out. */
function isPayload(payload: object): payload is Payload {
  const { sub, exp } = { sub: undefined, exp: undefined, ...payload };
  return typeof sub === 'string' && typeof exp === 'number';
}

/** Marks an entry and its password. Without the key, the mark tells nothing about them. */
function markOf({ secret }: SigningKey, { stamp }: UserEntry): string {
  return digestOf(new TextEncoder().encode(JSON.stringify(['entry', secret, stamp, secret])));
}

function isMarked(own: Own | undefined): own is { readonly mark: string } {
  return own !== undefined && 'mark' in own;
}

function carried(identity: Identity): Own | undefined {
  if (isAnonymous(identity)) return undefined;
  const { groups, claims, expires, scopes } = identity;
  return { groups, claims, ...(expires !== undefined && { expires }), ...(scopes !== undefined && { scopes }) };
}

function carriedIn({ sub, ocikit }: Payload): Identity {
  if (sub === '') return anonymous;
  if (ocikit === undefined || isMarked(ocikit)) return identityOf(sub);
  const { groups = [], claims = {}, expires, scopes } = ocikit;
  return identityOf(sub, { groups, claims, expires, ...(scopes !== undefined && { scopes }) });
}

import type { Fetch } from '../fetch.ts';
import type { ClientOptions } from '../options.ts';

import { Accounts } from './accounts.ts';
import type { Account } from './accounts.ts';
import { offerOf } from './challenges.ts';
import type { BearerChallenge, Offer } from './challenges.ts';
import { basicAuthorization } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { realmRule } from './realms.ts';
import type { RealmRule } from './realms.ts';
import { parseScope, scopeContains, unionScopes } from './scope.ts';
import type { Scope } from './scope.ts';
import { isRefusal, keptBack, TokenSource } from './token-source.ts';

export interface AuthenticatorOptions extends Pick<ClientOptions, 'backOff' | 'onRetry'> {
  /** The registry's own origin: who it is to whom credentials belong. */
  origin: string;
  credentials: Credentials | undefined;
  fetch: Fetch;
  userAgent: string | undefined;
  /** Origins of token servers that may be given stored secrets though they are not the registry's. */
  trustedRealms: readonly string[];
  /** Told of each request to a token server and of what came of it, without secrets. */
  onTokenRequest?: ((request: TokenRequestInfo) => void) | undefined;
}

export interface TokenRequestInfo {
  method: 'GET' | 'POST';
  /** Without secrets. */
  url: string;
  status: number | undefined;
  /** The scopes asked for. */
  scope: readonly string[];
  error?: unknown;
}

/** What was sent in `Authorization`, to be compared and never shown. */
export interface Authorization {
  readonly header: string;
}

/** Finds what to send in `Authorization`. One for each registry; it keeps its tokens. */
export interface Authenticator {
  /**
   * What to send with a first attempt; undefined: nothing, as nothing is known yet or nothing needed.
   *
   * @throws RegistryError UNAUTHORIZED if the source of credentials fails; UNAVAILABLE or an HttpError with a temporary
   * status if a token server cannot answer now
   */
  authorize(scope: Scope, signal: AbortSignal | undefined): Promise<Authorization | undefined>;
  /**
   * After a 401, or a 403 that says `insufficient_scope`: what to send the request with again.
   *
   * @param challenges the `WWW-Authenticate` headers, as they came or joined
   * @param refused what the request was sent with: it is never used again for this
   * @returns undefined if there is nothing else to try: the answer is the caller's
   * @throws what {@link authorize} does, and the HttpError of a token server that refuses
   */
  answer(
    challenges: readonly string[],
    scope: Scope,
    refused: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | undefined>;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return new ChallengeAuthenticator(options);
}

/** However often a registry changes its mind about what it wants. */
const maxTurns = 3;

/** What was sent, and how it was come by. Its fields are private so that nobody prints them by accident. */
class Issued implements Authorization {
  readonly #header: string;
  readonly #origin: IssuedBy;

  constructor(header: string, origin: IssuedBy) {
    this.#header = header;
    this.#origin = origin;
  }

  get header(): string {
    return this.#header;
  }

  get by(): IssuedBy {
    return this.#origin;
  }
}

interface IssuedBy {
  account: Account;
  /** 0: before the first attempt. */
  turn: number;
  /** Without its scheme, if it is one that a token server granted. */
  token?: string;
  /** What a token that was fetched for this very request was asked for. */
  fetchedFor?: Scope;
}

class ChallengeAuthenticator implements Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #realms: RealmRule;
  readonly #accounts: Accounts;
  readonly #source: TokenSource;
  /** How the registry wanted to be shown who asks when it last said so. */
  #offer: Offer | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#realms = realmRule(new URL(options.origin), options.trustedRealms);
    this.#accounts = new Accounts(options);
    this.#source = new TokenSource(options, this.#realms);
  }

  async authorize(scope: Scope, signal: AbortSignal | undefined): Promise<Authorization | undefined> {
    const account = await this.#accounts.of(repositoryOf(scope), signal);
    const fixed = fixedHeader(account);
    if (fixed !== undefined) return new Issued(fixed, { account, turn: 0 });
    const cached = account.tokens.find(scope);
    if (cached !== undefined) return new Issued(`Bearer ${cached}`, { account, turn: 0, token: cached });
    const offer = this.#offer;
    if (offer === undefined) return undefined;
    const basic = this.#basicFor(account, offer);
    if (basic !== undefined) return new Issued(basic, { account, turn: 0 });
    if (offer.bearer === undefined) return undefined;
    try {
      const token = await this.#source.fetch(account, { ...offer.bearer, scope: '' }, scope, signal);
      return new Issued(`Bearer ${token}`, { account, turn: 0, token });
    } catch (error) {
      // Perhaps it needs no token, or the registry wants another one than was thought: it will say.
      if (isRefusal(error)) return undefined;
      throw error;
    }
  }

  async answer(
    challenges: readonly string[],
    scope: Scope,
    refused: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | undefined> {
    const by = refused instanceof Issued ? refused.by : undefined;
    if (by?.token !== undefined) by.account.tokens.drop(by.token);
    const offer = offerOf(challenges, this.#realms, this.#offer?.bearer, this.#options.onTokenRequest);
    if (offer.bearer === undefined && !offer.basic) return undefined;
    this.#offer = offer;
    const turn = (by?.turn ?? 0) + 1;
    if (turn > maxTurns) return undefined;
    const repository = repositoryOf(scope);
    const account = await this.#accounts.of(repository, signal);
    try {
      const found = await this.#find(account, offer, scope, { refused, turn, signal });
      if (found !== undefined) return found;
    } catch (error) {
      const other = isRefusal(error) ? await this.#accounts.renewed(account, repository, signal) : undefined;
      if (other === undefined) throw error;
      return this.#find(other, offer, scope, { refused, turn, signal });
    }
    // Passwords of a limited life, as those of ECR, are others by now.
    const other = await this.#accounts.renewed(account, repository, signal);
    return other === undefined ? undefined : this.#find(other, offer, scope, { refused, turn, signal });
  }

  async #find(
    account: Account,
    offer: Offer,
    scope: Scope,
    { refused, turn, signal }: { refused: Authorization | undefined; turn: number; signal: AbortSignal | undefined },
  ): Promise<Authorization | undefined> {
    const fixed = fixedHeader(account) ?? this.#basicFor(account, offer);
    if (fixed !== undefined) return fixed === refused?.header ? undefined : new Issued(fixed, { account, turn });
    const { bearer } = offer;
    if (bearer === undefined) return undefined;
    const needed = unionScopes(parseScope(bearer.scope), scope);
    const cached = account.tokens.find(needed);
    // Somebody else has fetched one since this request was sent.
    if (cached !== undefined) return new Issued(`Bearer ${cached}`, { account, turn, token: cached });
    const by = refused instanceof Issued ? refused.by : undefined;
    if (by?.account === account && by.fetchedFor !== undefined && scopeContains(by.fetchedFor, needed)) {
      // Who asks is known, and may not do this.
      if (this.#isKeptBack(account, bearer)) throw keptBack(bearer);
      return undefined;
    }
    const token = await this.#source.fetch(account, bearer, scope, signal);
    return new Issued(`Bearer ${token}`, { account, turn, token, fetchedFor: needed });
  }

  /** A token is preferred: a password goes to the registry itself only if there is no other way to use it. */
  #basicFor(account: Account, { basic, bearer }: Offer): string | undefined {
    const { credential } = account;
    if (!basic || credential === undefined || !('password' in credential)) return undefined;
    return bearer === undefined || this.#isKeptBack(account, bearer) ? basicAuthorization(credential) : undefined;
  }

  /** Whether there are secrets that this token server must not be told. */
  #isKeptBack({ credential }: Account, { realm }: BearerChallenge): boolean {
    return credential !== undefined && !this.#realms.mayHaveSecrets(realm);
  }
}

/** What is sent whatever the registry says. */
function fixedHeader({ credential }: Account): string | undefined {
  return credential !== undefined && 'accessToken' in credential ? `Bearer ${credential.accessToken}` : undefined;
}

/** Of a mount, it is the repository that is mounted into. */
function repositoryOf(scope: Scope): string | undefined {
  return scope.find(({ type }) => type === 'repository')?.resource;
}

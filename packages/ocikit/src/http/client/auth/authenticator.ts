import { accountsAt } from './accounts.ts';
import type { Account } from './accounts.ts';
import { offerOf } from './challenges.ts';
import type { BearerChallenge, Offer } from './challenges.ts';
import { basicAuthorization } from './credentials.ts';
import type { AuthenticatorOptions } from './options.ts';
import { realmRule } from './realms.ts';
import { parseScope, scopeContains, unionScopes } from '../../wire/index.ts';
import type { Scope } from '../../wire/index.ts';
import { isRefusal, keptBack, tokenSource } from './token-source.ts';

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
   * @returns undefined if there is nothing else to try: the answer is the caller's; `denied` if it is known as well who asks, and
   * that a token which was fetched for this very request does not help
   * @throws what {@link authorize} does, and the HttpError of a token server that refuses
   */
  answer(
    challenges: readonly string[],
    scope: Scope,
    refused: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | 'denied' | undefined>;
}

/** However often a registry changes its mind about what it wants. */
const maxTurns = 3;

/** How what was sent was come by. */
interface IssuedBy {
  account: Account;
  /** 0: before the first attempt. */
  turn: number;
  /** Without its scheme, if it is one that a token server granted. */
  token?: string;
  /** What a token that was fetched for this very request was asked for. */
  fetchedFor?: Scope;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const realms = realmRule(new URL(options.origin), options.trustedRealms);
  const accounts = accountsAt(options);
  const fetchToken = tokenSource(options, realms);
  const issued = new WeakMap<Authorization, IssuedBy>();
  /** How the registry wanted to be shown who asks when it last said so. */
  let offered: Offer | undefined;

  /** Nobody prints it by accident. */
  const issue = (header: string, by: IssuedBy): Authorization => {
    const authorization = Object.defineProperty({}, 'header', { value: header }) as Authorization;
    issued.set(authorization, by);
    return authorization;
  };
  const issueToken = (token: string, by: IssuedBy): Authorization => issue(`Bearer ${token}`, { ...by, token });

  /** Whether there are secrets that this token server must not be told. */
  const isKeptBack = ({ credential }: Account, { realm }: BearerChallenge): boolean =>
    credential !== undefined && !realms.mayHaveSecrets(realm);

  /** A token is preferred: a password goes to the registry itself only if there is no other way to use it. */
  const basicFor = (account: Account, { basic, bearer }: Offer): string | undefined => {
    const { credential } = account;
    if (!basic || credential === undefined || !('password' in credential)) return undefined;
    return bearer === undefined || isKeptBack(account, bearer) ? basicAuthorization(credential) : undefined;
  };

  const find = async (
    account: Account,
    offer: Offer,
    scope: Scope,
    { refused, turn, signal }: { refused: Authorization | undefined; turn: number; signal: AbortSignal | undefined },
  ): Promise<Authorization | 'denied' | undefined> => {
    const fixed = fixedHeader(account) ?? basicFor(account, offer);
    if (fixed !== undefined) return fixed === refused?.header ? undefined : issue(fixed, { account, turn });
    const { bearer } = offer;
    if (bearer === undefined) return undefined;
    const needed = unionScopes(parseScope(bearer.scope), scope);
    const cached = account.tokens.find(needed);
    // Somebody else has fetched one since this request was sent.
    if (cached !== undefined) return issueToken(cached, { account, turn });
    const by = refused && issued.get(refused);
    if (by?.account === account && by.fetchedFor !== undefined && scopeContains(by.fetchedFor, needed)) {
      // Who asks is known, and may not do this.
      if (isKeptBack(account, bearer)) throw keptBack(bearer);
      return account.credential === undefined ? undefined : 'denied';
    }
    const token = await fetchToken(account, bearer, scope, signal);
    return issueToken(token, { account, turn, fetchedFor: needed });
  };

  return {
    async authorize(scope, signal) {
      const account = await accounts.of(repositoryOf(scope), signal);
      const by = { account, turn: 0 };
      const fixed = fixedHeader(account);
      if (fixed !== undefined) return issue(fixed, by);
      const cached = account.tokens.find(scope);
      if (cached !== undefined) return issueToken(cached, by);
      if (offered === undefined) return undefined;
      const basic = basicFor(account, offered);
      if (basic !== undefined) return issue(basic, by);
      if (offered.bearer === undefined) return undefined;
      try {
        return issueToken(await fetchToken(account, { ...offered.bearer, scope: '' }, scope, signal), by);
      } catch (error) {
        // Perhaps it needs no token, or the registry wants another one than was thought: it will say.
        if (isRefusal(error)) return undefined;
        throw error;
      }
    },

    async answer(challenges, scope, refused, signal) {
      const by = refused && issued.get(refused);
      if (by?.token !== undefined) by.account.tokens.drop(by.token);
      const offer = offerOf(challenges, realms, offered?.bearer, options.onTokenRequest);
      if (offer.bearer === undefined && !offer.basic) return undefined;
      offered = offer;
      const turn = (by?.turn ?? 0) + 1;
      if (turn > maxTurns) return undefined;
      const repository = repositoryOf(scope);
      const account = await accounts.of(repository, signal);
      let found: Authorization | 'denied' | undefined;
      let failure: { error: unknown } | undefined;
      try {
        found = await find(account, offer, scope, { refused, turn, signal });
        if (typeof found === 'object') return found;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        failure = { error };
      }
      // Passwords of a limited life, as those of ECR, are others by now.
      const other = await accounts.renewed(account, repository, signal);
      if (other !== undefined) return find(other, offer, scope, { refused, turn, signal });
      if (failure !== undefined) throw failure.error;
      return found;
    },
  };
}

/** What is sent whatever the registry says. */
function fixedHeader({ credential }: Account): string | undefined {
  return credential !== undefined && 'accessToken' in credential ? `Bearer ${credential.accessToken}` : undefined;
}

/** Of a mount, it is the repository that is mounted into. */
function repositoryOf(scope: Scope): string | undefined {
  return scope.find(({ type }) => type === 'repository')?.resource;
}

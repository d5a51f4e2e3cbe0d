// Finding the `Authorization` of requests to one registry.
import { accountsAt } from './accounts.ts';
import type { Account } from './accounts.ts';
import { offerOf } from './challenges.ts';
import type { BearerChallenge, Offer } from './challenges.ts';
import { basicAuthorization } from './credentials.ts';
import type { AuthenticatorOptions } from './options.ts';
import { loadPart } from '../shared/index.ts';
import { realmRule } from './realms.ts';
import { abortable } from '../../../transfer/index.ts';
import { parseScope, scopeContains, unionScopes } from '../../wire/index.ts';
import type { Scope } from '../../wire/index.ts';
import { isRefusal, keptBack } from './refusals.ts';
import type { FetchToken } from './token-source.ts';

/** The content of an `Authorization` header. It is compared with others, and never shown. */
export interface Authorization {
  /** The value of the header. */
  readonly header: string;
}

/** Finds the `Authorization` of requests. There is one for each registry; it keeps its tokens. */
export interface Authenticator {
  /**
   * The `Authorization` for a first attempt; undefined: none, as none is known yet or none is needed.
   *
   * @throws RegistryError UNAUTHORIZED if the source of credentials fails; UNAVAILABLE or an HttpError with a temporary
   * status if a token server cannot answer now
   */
  authorize(scope: Scope, signal: AbortSignal | undefined): Promise<Authorization | undefined>;
  /**
   * An `Authorization` for a request that was answered without one, and without a challenge: a registry may hide from
   * strangers what it has. If there are credentials, and no challenge is known, the registry is asked once for one.
   *
   * @returns undefined if there are no credentials, or the registry wants none
   * @throws the errors of {@link authorize}
   */
  introduce(scope: Scope, signal: AbortSignal | undefined): Promise<Authorization | undefined>;
  /** Whether the source of credentials has none for such requests. */
  isStranger(scope: Scope): boolean;
  /**
   * Another `Authorization` after a 401, or after a 403 that says `insufficient_scope`.
   *
   * @param challenges the `WWW-Authenticate` headers, as they came or joined
   * @param refused the `Authorization` that the request was sent with: it is not used again for this
   * @returns undefined if there is nothing else to try, or why no challenge can be used; `denied` if the caller is also
   * known, and a token that was fetched for this request was refused: another login would not help
   * @throws the errors of {@link authorize}, and the HttpError of a token server that refuses
   */
  reauthorize(
    challenges: readonly string[],
    scope: Scope,
    refused: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | 'denied' | Unusable | undefined>;
}

/** Challenges that offer no way that can be used, or credentials that could not be obtained. */
export interface Unusable {
  /** The reason. */
  readonly unusable: string;
  /** The error behind it. */
  readonly cause?: unknown;
}

/** How often a registry may ask for another `Authorization` of the same request. */
const maxTurns = 3;

/** The origin of an `Authorization`. */
interface IssuedBy {
  account: Account;
  /** The number of challenges before it; 0: it was made before the first attempt. */
  turn: number;
  /** The token in it, if a token server granted it. */
  token?: string;
  /** The scope that its token was requested with, if it was fetched for this very request. */
  fetchedFor?: Scope;
}

/** Makes the authenticator of one registry. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const realms = realmRule(new URL(options.origin), options.trustedRealms);
  const accounts = accountsAt(options);
  /** Makes the source of tokens. The code for that is loaded for the first token. */
  let source: FetchToken | undefined;
  const fetchToken: FetchToken = async (account, challenge, wanted, signal) => {
    const { tokenSource } = await loadPart(import('./token-source.ts'), signal);
    source ??= tokenSource(options, realms);
    return source(account, challenge, wanted, signal);
  };
  const issued = new WeakMap<Authorization, IssuedBy>();
  /** The ways to authenticate that the registry offered last. */
  let offered: Offer | undefined;
  /** The question for challenges, which is asked once. */
  let asked: Promise<void> | undefined;

  /** The header is not enumerable, so that it is not printed by accident. */
  const issue = (header: string, by: IssuedBy): Authorization => {
    const authorization = Object.defineProperty({}, 'header', { value: header }) as Authorization;
    issued.set(authorization, by);
    return authorization;
  };
  const issueToken = (token: string, by: IssuedBy): Authorization => issue(`Bearer ${token}`, { ...by, token });

  /** Whether there are secrets that must not be sent to this token server. */
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
    // Another request has fetched a token since this one was sent.
    if (cached !== undefined) return issueToken(cached, { account, turn });
    const by = refused && issued.get(refused);
    if (by?.account === account && by.fetchedFor !== undefined && scopeContains(by.fetchedFor, needed)) {
      // The caller is known, and may not do this.
      if (isKeptBack(account, bearer)) throw keptBack(bearer);
      return account.credential === undefined ? undefined : 'denied';
    }
    const token = await fetchToken(account, bearer, scope, signal);
    return issueToken(token, { account, turn, fetchedFor: needed });
  };

  const askOnce = async (): Promise<void> => {
    const { askForChallenges } = await loadPart(import('./introduction.ts'), undefined);
    const offer = offerOf(await askForChallenges(options), realms, undefined, options.onTokenRequest);
    if (offer.basic || offer.bearer !== undefined) offered ??= offer;
  };

  const authenticator: Authenticator = {
    async introduce(scope, signal) {
      const { credential } = await accounts.of(repositoryOf(scope), signal);
      if (credential === undefined) return undefined;
      if (offered === undefined) await abortable((asked ??= askOnce()), signal);
      return authenticator.authorize(scope, signal);
    },

    isStranger: (scope) => accounts.isStranger(repositoryOf(scope)),

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
        // The request may need no token, or another one than assumed: the registry will say so.
        if (isRefusal(error)) return undefined;
        throw error;
      }
    },

    async reauthorize(challenges, scope, refused, signal) {
      const by = refused && issued.get(refused);
      if (by?.token !== undefined) by.account.tokens.drop(by.token);
      const offer = offerOf(challenges, realms, offered?.bearer, options.onTokenRequest);
      if (offer.bearer === undefined && !offer.basic) {
        return offer.unusable === undefined ? undefined : { unusable: offer.unusable };
      }
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
      // A password of limited life, such as one of ECR, may have been replaced by now.
      const other = await accounts.renewed(account, repository, signal);
      if (other !== undefined) return find(other, offer, scope, { refused, turn, signal });
      if (account.failure !== undefined) {
        accounts.forget(repository);
        return { unusable: account.failure.message, cause: account.failure.cause };
      }
      if (failure !== undefined) throw failure.error;
      return found;
    },
  };
  return authenticator;
}

/** The header of a Bearer token that needs no token server: it is sent whatever the registry offers. */
function fixedHeader({ credential }: Account): string | undefined {
  return credential !== undefined && 'accessToken' in credential ? `Bearer ${credential.accessToken}` : undefined;
}

/** The repository of a request; for a mount, the one that is mounted into. */
function repositoryOf(scope: Scope): string | undefined {
  return scope.find(({ type }) => type === 'repository')?.resource;
}

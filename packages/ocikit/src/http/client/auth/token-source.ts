// The source of tokens: the token servers that a registry names.
import { HttpError, isTemporaryStatus, RegistryError } from '../../../model/index.ts';
import { createRetry } from '../../../transfer/index.ts';
import { isTemporaryFault } from '../shared/index.ts';

import type { Account } from './accounts.ts';
import type { AuthenticatorOptions } from './options.ts';
import type { BearerChallenge } from './challenges.ts';
import type { RealmRule } from './realms.ts';
import { isRefusal, keptBack } from './refusals.ts';
import { formatScope, parseScope, scopeContains, unionScopes } from '../../wire/index.ts';
import type { Scope } from '../../wire/index.ts';
import { requestToken } from './token-requests.ts';
import type { GrantedToken, TokenRequest } from './token-requests.ts';

/** Gets a token for the scope of a challenge and the scope that the request is known to need. */
export type FetchToken = (
  account: Account,
  challenge: BearerChallenge,
  wanted: Scope,
  signal: AbortSignal | undefined,
) => Promise<string>;

/** The source of tokens for one registry. */
export function tokenSource(options: AuthenticatorOptions, realms: RealmRule): FetchToken {
  const retry = createRetry(options);

  const requestAs = async (
    account: Account,
    credential: TokenRequest['credential'],
    request: RequestedToken,
    signal: AbortSignal,
  ): Promise<GrantedToken> => {
    const { origin } = request.realm;
    const granted = await requestToken({ ...request, credential }, { ...options, realms }, signal);
    const takesThem = account.delivered?.origin !== origin || account.delivered.refreshToken !== undefined;
    if (credential !== undefined && granted.refreshToken !== undefined && takesThem) {
      account.delivered = { origin, refreshToken: granted.refreshToken };
    }
    return granted;
  };

  /** Asks with the latest refresh token of this server; if that is refused, with the caller's own credentials. */
  const refresh = async (
    account: Account,
    credential: SentCredential,
    request: RequestedToken,
    signal: AbortSignal,
  ): Promise<GrantedToken> => {
    const { origin } = request.realm;
    const { delivered } = account;
    if (delivered?.origin === origin && delivered.refreshToken !== undefined) {
      const { refreshToken } = delivered;
      try {
        return await requestAs(account, { refreshToken }, request, signal);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        account.delivered = isUnknownMethod(error) ? { origin, refreshToken: undefined } : undefined;
      }
    }
    try {
      return await requestAs(account, credential, request, signal);
    } catch (error) {
      // A server that accepts no refresh tokens still gives anonymous ones.
      if (!('refreshToken' in credential) || !isUnknownMethod(error)) throw error;
      return requestAs(account, undefined, request, signal);
    }
  };

  const requestFor = async (account: Account, request: RequestedToken, signal: AbortSignal): Promise<GrantedToken> => {
    const { credential, delivered } = account;
    if (credential === undefined || 'accessToken' in credential) return requestAs(account, undefined, request, signal);
    if (!realms.mayHaveSecrets(request.realm)) {
      return requestAs(account, undefined, request, signal).catch((cause: unknown) => {
        throw isRefusal(cause) ? keptBack(request, cause) : cause;
      });
    }
    if (!('refreshToken' in credential) && delivered?.refreshToken === undefined) {
      return requestAs(account, credential, request, signal);
    }
    const result = account.refreshing.then(() => refresh(account, credential, request, signal));
    account.refreshing = result.catch(() => undefined);
    return result;
  };

  // The scopes of the challenge and of the request are requested together, so that a token serves more than one kind
  // of request. If the server refuses that, the scope of the challenge alone is requested.
  return async (account, { realm, service, scope }, wanted, signal) => {
    const named = parseScope(scope);
    const needed = unionScopes(named, wanted);
    const exactly = scope.split(' ').filter((part) => part !== '');
    const asked = scopeContains(named, wanted) ? exactly : formatScope(needed);
    const start = async (ended: AbortSignal): Promise<GrantedToken> => {
      const request = { realm, service, scope: asked };
      const granted = await requestFor(account, request, ended).catch(async (error: unknown) => {
        if (!isRefusal(error) || asked === exactly || exactly.length === 0) throw error;
        return requestFor(account, { ...request, scope: exactly }, ended);
      });
      // Also if less was granted: the scope that the registry named is enough for the request.
      account.tokens.add({ token: granted.token, scope: needed, expiresAt: granted.expiresAt });
      return granted;
    };
    // Each caller retries as long as its own signal allows, and joins the others again for each attempt.
    const { token } = await retry({ signal }, { isTemporary, onWait: () => undefined }, () =>
      account.tokenRequests.join(JSON.stringify([realm.href, service, asked]), signal, start),
    );
    return token;
  };
}

type RequestedToken = Omit<TokenRequest, 'credential'>;
type SentCredential = NonNullable<TokenRequest['credential']>;

function isTemporary(error: unknown): boolean {
  if (error instanceof HttpError) return isTemporaryStatus(error.status);
  return error instanceof RegistryError && error.code === 'UNAVAILABLE' && isTemporaryFault(error);
}

function isUnknownMethod(error: unknown): boolean {
  return error instanceof HttpError && (error.status === 404 || error.status === 405);
}

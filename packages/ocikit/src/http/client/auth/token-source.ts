import { HttpError, RegistryError } from '../../../model/index.ts';
import { isTemporaryFault, isTemporaryStatus, Retries } from '../retry.ts';

import type { Account } from './accounts.ts';
import type { AuthenticatorOptions } from './authenticator.ts';
import type { BearerChallenge } from './challenges.ts';
import type { Credential } from './credentials.ts';
import type { RealmRule } from './realms.ts';
import { formatScope, parseScope, scopeContains, unionScopes } from './scope.ts';
import type { Scope } from './scope.ts';
import { requestToken } from './token-requests.ts';
import type { GrantedToken, TokenRequest } from './token-requests.ts';

/** Where tokens come from: the token servers that a registry names. */
export class TokenSource {
  readonly #options: AuthenticatorOptions;
  readonly #realms: RealmRule;
  readonly #retries: Retries;

  constructor(options: AuthenticatorOptions, realms: RealmRule) {
    this.#options = options;
    this.#realms = realms;
    this.#retries = new Retries(options);
  }

  /**
   * Asks for what the challenge names and the request is known to need together, so that a token serves more than one kind
   * of request; if that is more than the server grants, for what the challenge names alone.
   */
  async fetch(
    account: Account,
    challenge: BearerChallenge,
    wanted: Scope,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const named = parseScope(challenge.scope);
    const needed = unionScopes(named, wanted);
    const exactly = challenge.scope.split(' ').filter((part) => part !== '');
    const asked = scopeContains(named, wanted) ? exactly : formatScope(needed);
    const { realm, service } = challenge;
    const key = JSON.stringify([realm.href, service, asked]);
    const start = async (ended: AbortSignal): Promise<GrantedToken> => {
      const request = { realm, service, scope: asked };
      const granted = await this.#requestFor(account, request, ended).catch(async (error: unknown) => {
        if (!isRefusal(error) || asked === exactly || exactly.length === 0) throw error;
        return this.#requestFor(account, { ...request, scope: exactly }, ended);
      });
      // Also where less was granted: whatever the registry named is enough for what was wanted.
      account.tokens.add({ token: granted.token, scope: needed, expiresAt: granted.expiresAt });
      return granted;
    };
    // Everybody who waits tries again for as long as their own signal lets them, and then waits together again.
    const { token } = await this.#retries.repeat({ signal }, { isTemporary, onWait: () => undefined }, () =>
      account.flights.join(key, signal, start),
    );
    return token;
  }

  async #requestFor(
    account: Account,
    request: Omit<TokenRequest, 'credential'>,
    signal: AbortSignal,
  ): Promise<GrantedToken> {
    const { credential } = account;
    if (credential === undefined || 'accessToken' in credential) {
      return this.#requestAs(account, undefined, request, signal);
    }
    if (!this.#realms.mayHaveSecrets(request.realm)) {
      return this.#requestAs(account, undefined, request, signal).catch((cause: unknown) => {
        throw isRefusal(cause) ? keptBack(request, cause) : cause;
      });
    }
    const { delivered } = account;
    if ('refreshToken' in credential || delivered?.refreshToken !== undefined) {
      const result = account.refreshing.then(() => this.#refresh(account, credential, request, signal));
      account.refreshing = result.catch(() => undefined);
      return result;
    }
    return this.#requestAs(account, credential, request, signal);
  }

  /** With the latest refresh token of this server; with what the caller has if it is refused. */
  async #refresh(
    account: Account,
    credential: Exclude<Credential, { accessToken: string }>,
    request: Omit<TokenRequest, 'credential'>,
    signal: AbortSignal,
  ): Promise<GrantedToken> {
    const { origin } = request.realm;
    const { delivered } = account;
    if (delivered?.origin === origin && delivered.refreshToken !== undefined) {
      const { refreshToken } = delivered;
      try {
        return await this.#requestAs(account, { refreshToken }, request, signal);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        account.delivered = isUnknownMethod(error) ? { origin, refreshToken: undefined } : undefined;
      }
    }
    try {
      return await this.#requestAs(account, credential, request, signal);
    } catch (error) {
      // Where refresh tokens are of no use, what anybody may have is still to be had.
      if (!('refreshToken' in credential) || !isUnknownMethod(error)) throw error;
      return this.#requestAs(account, undefined, request, signal);
    }
  }

  async #requestAs(
    account: Account,
    credential: TokenRequest['credential'],
    request: Omit<TokenRequest, 'credential'>,
    signal: AbortSignal,
  ): Promise<GrantedToken> {
    const { origin } = request.realm;
    const granted = await requestToken({ ...request, credential }, { ...this.#options, realms: this.#realms }, signal);
    const takesThem = account.delivered?.origin !== origin || account.delivered.refreshToken !== undefined;
    if (credential !== undefined && granted.refreshToken !== undefined && takesThem) {
      account.delivered = { origin, refreshToken: granted.refreshToken };
    }
    return granted;
  }
}

function isTemporary(error: unknown): boolean {
  if (error instanceof HttpError) return isTemporaryStatus(error.status);
  return error instanceof RegistryError && error.code === 'UNAVAILABLE' && isTemporaryFault(error);
}

/** Whether a token server has said no, for good. */
export function isRefusal(error: unknown): boolean {
  return (
    (error instanceof HttpError && !isTemporaryStatus(error.status)) ||
    (error instanceof RegistryError && !(error instanceof HttpError) && error.code === 'UNAUTHORIZED')
  );
}

function isUnknownMethod(error: unknown): boolean {
  return error instanceof HttpError && (error.status === 404 || error.status === 405);
}

export function keptBack({ realm }: Pick<TokenRequest, 'realm'>, cause?: unknown): RegistryError {
  return new RegistryError(
    'UNAUTHORIZED',
    `the token server ${realm.origin} was not given the stored credentials, as it is not known to belong to the registry; ` +
      'if it does, name its origin in trustedRealms',
    { cause },
  );
}

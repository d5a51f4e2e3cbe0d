import { RegistryError } from '../../../model/index.ts';
import { SingleFlight } from '../../../transfer/index.ts';
import { remember } from '../shared/index.ts';

import type { AuthenticatorOptions } from './options.ts';
import { assertCredential } from './credentials.ts';
import type { Credential } from '../shared/index.ts';
import type { GrantedToken } from './token-requests.ts';
import { Tokens } from './tokens.ts';

/** Somebody, or nobody in particular, at one registry, and what they have been given. */
export interface Account {
  readonly credential: Credential | undefined;
  readonly tokens: Tokens;
  readonly tokenRequests: SingleFlight<GrantedToken>;
  /**
   * A refresh token that a token server gave out, and the origin of that server, which alone is given it back. None if that
   * server gives them out but does not take them.
   */
  delivered: { origin: string; refreshToken: string | undefined } | undefined;
  /** Refresh tokens are used one after the other: many are good for one time only. */
  refreshing: Promise<unknown>;
}

/** Milliseconds within which the source of credentials is not asked again. */
const credentialLife = 60_000;

/** Repositories whose credentials are remembered. */
const maxRepositories = 1000;

/** Who asks, by repository: some have other credentials for a part of a registry. */
export interface Accounts {
  /** @throws RegistryError UNAUTHORIZED if the source of credentials fails */
  of(repository: string | undefined, signal: AbortSignal | undefined): Promise<Account>;
  /** After what an account has was refused: another one, if the source of credentials has something else by now. */
  renewed(
    refused: Account,
    repository: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Account | undefined>;
}

export function accountsAt({ origin, credentials }: Pick<AuthenticatorOptions, 'origin' | 'credentials'>): Accounts {
  const { host } = new URL(origin);
  const asked = new Map<string, { account: Account; at: number }>();
  const asking = new SingleFlight<Account>('abort');
  /** By what proves who it is; the same account is used wherever it is the same. */
  const accounts = new Map<string, Account>();

  const ask = (repository: string | undefined, signal: AbortSignal | undefined): Promise<Account> =>
    asking.join(repository ?? '', signal, async () => {
      let credential: Credential | undefined;
      try {
        credential = await credentials?.(host, repository);
      } catch (cause) {
        // Its message may be about this machine; a proxy would pass it on.
        throw new RegistryError('UNAUTHORIZED', `the credentials for ${host} could not be obtained`, { cause });
      }
      if (credential !== undefined) assertCredential(credential);
      const key = keyOf(credential);
      const account = accounts.get(key) ?? {
        credential,
        tokens: new Tokens(),
        tokenRequests: new SingleFlight<GrantedToken>('abort'),
        delivered: undefined,
        refreshing: Promise.resolve(),
      };
      accounts.set(key, account);
      remember(asked, repository ?? '', { account, at: Date.now() }, maxRepositories);
      return account;
    });

  return {
    of: async (repository, signal) => asked.get(repository ?? '')?.account ?? ask(repository, signal),
    async renewed(refused, repository, signal) {
      const known = asked.get(repository ?? '');
      const isRefused = known?.account === refused;
      if (isRefused && Date.now() - known.at < credentialLife) return undefined;
      const account = isRefused ? await ask(repository, signal) : known?.account;
      if (account === refused || account === undefined) return undefined;
      accounts.delete(keyOf(refused.credential));
      return account;
    },
  };
}

/** What proves who it is, and nothing else. */
function keyOf(credential: Credential | undefined): string {
  return JSON.stringify(credential ?? {});
}

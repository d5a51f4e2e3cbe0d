// The accounts that requests to one registry are made with.
import { RegistryError } from '../../../model/index.ts';
import { SingleFlight } from '../../../transfer/index.ts';
import { setBounded } from '../shared/index.ts';

import type { AuthenticatorOptions } from './options.ts';
import { assertCredential } from './credentials.ts';
import type { Credential } from '../shared/index.ts';
import type { GrantedToken } from './token-requests.ts';
import { Tokens } from './tokens.ts';

/** One identity at one registry, perhaps the anonymous one, and the tokens that it was granted. */
export interface Account {
  /** Undefined: anonymous. */
  readonly credential: Credential | undefined;
  /** Why the source of credentials gave none: the account is anonymous. */
  readonly failure?: RegistryError | undefined;
  /** The tokens that are still good. */
  readonly tokens: Tokens;
  /** The token requests that are under way, by what they ask for. */
  readonly tokenRequests: SingleFlight<GrantedToken>;
  /**
   * A refresh token that a token server gave out, and the origin of that server: no other server is sent the token.
   * The token is undefined if that server gives refresh tokens out but does not accept them.
   */
  delivered: { origin: string; refreshToken: string | undefined } | undefined;
  /** The latest use of a refresh token: uses wait for one another, as many refresh tokens are good only once. */
  refreshing: Promise<unknown>;
}

/** Milliseconds for which the source of credentials is not asked again. */
const credentialLife = 60_000;

/** Repositories whose credentials are remembered. */
const maxRepositories = 1000;

/** The accounts at one registry, by repository: some callers have other credentials for a part of a registry. */
export interface Accounts {
  /**
   * The account for a repository. If the source of credentials fails, it is anonymous: what is public can still be
   * read.
   *
   * @throws RegistryError UNAUTHORIZED if the credentials cannot be sent
   */
  of(repository: string | undefined, signal: AbortSignal | undefined): Promise<Account>;
  /** Whether it is known that there are no credentials for a repository. */
  isStranger(repository: string | undefined): boolean;
  /** Lets the source of credentials be asked again for the next request of a repository. */
  forget(repository: string | undefined): void;
  /** Another account, after the first one was refused; undefined if the source of credentials still gives the same. */
  renewed(
    refused: Account,
    repository: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Account | undefined>;
}

/** The accounts at the registry of an origin. */
export function accountsAt({ origin, credentials }: Pick<AuthenticatorOptions, 'origin' | 'credentials'>): Accounts {
  const { host } = new URL(origin);
  const asked = new Map<string, { account: Account; at: number }>();
  const asking = new SingleFlight<Account>('abort');
  /** By their credentials: repositories with the same credentials share an account. */
  const accounts = new Map<string, Account>();

  const ask = (repository: string | undefined, signal: AbortSignal | undefined): Promise<Account> =>
    asking.join(repository ?? '', signal, async () => {
      let credential: Credential | undefined;
      let failure: RegistryError | undefined;
      try {
        credential = await credentials?.(host, repository);
      } catch (cause) {
        // The cause's message may describe this machine, and a proxy would pass it on: it stays in `cause`.
        failure = new RegistryError('UNAUTHORIZED', `the credentials for ${host} could not be obtained`, { cause });
      }
      if (credential !== undefined) assertCredential(credential);
      const key = identityKey(credential);
      const account = (failure === undefined ? accounts.get(key) : undefined) ?? {
        credential,
        failure,
        tokens: new Tokens(),
        tokenRequests: new SingleFlight<GrantedToken>('abort'),
        delivered: undefined,
        refreshing: Promise.resolve(),
      };
      if (failure === undefined) accounts.set(key, account);
      setBounded(asked, repository ?? '', { account, at: Date.now() }, maxRepositories);
      return account;
    });

  return {
    of: async (repository, signal) => asked.get(repository ?? '')?.account ?? ask(repository, signal),
    isStranger(repository) {
      const account = asked.get(repository ?? '')?.account;
      return account !== undefined && account.credential === undefined && account.failure === undefined;
    },
    forget: (repository) => void asked.delete(repository ?? ''),
    async renewed(refused, repository, signal) {
      const known = asked.get(repository ?? '');
      const isRefused = known?.account === refused;
      if (isRefused && Date.now() - known.at < credentialLife) return undefined;
      const account = isRefused ? await ask(repository, signal) : known?.account;
      if (account === refused || account === undefined) return undefined;
      if (refused.failure === undefined) accounts.delete(identityKey(refused.credential));
      return account;
    },
  };
}

/** A key for equal credentials. */
function identityKey(credential: Credential | undefined): string {
  return JSON.stringify(credential ?? {});
}

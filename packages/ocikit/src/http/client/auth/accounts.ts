import { RegistryError } from '../../../model/index.ts';

import type { AuthenticatorOptions } from './authenticator.ts';
import { assertCredential } from './credentials.ts';
import type { Credential } from './credentials.ts';
import { Flights } from './flights.ts';
import type { GrantedToken } from './token-requests.ts';
import { Tokens } from './tokens.ts';

/** Somebody, or nobody in particular, at one registry, and what they have been given. */
export interface Account {
  readonly credential: Credential | undefined;
  readonly tokens: Tokens;
  readonly flights: Flights<GrantedToken>;
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
export class Accounts {
  readonly #host: string;
  readonly #credentials: AuthenticatorOptions['credentials'];
  readonly #asked = new Map<string, { account: Account; at: number }>();
  readonly #asking = new Flights<Account>();
  /** By what proves who it is; the same account is used wherever it is the same. */
  readonly #accounts = new Map<string, Account>();

  constructor({ origin, credentials }: Pick<AuthenticatorOptions, 'origin' | 'credentials'>) {
    this.#host = new URL(origin).host;
    this.#credentials = credentials;
  }

  /** @throws RegistryError UNAUTHORIZED if the source of credentials fails */
  async of(repository: string | undefined, signal: AbortSignal | undefined): Promise<Account> {
    return this.#asked.get(repository ?? '')?.account ?? (await this.#ask(repository, signal));
  }

  /** After what an account has was refused: another one, if the source of credentials has something else by now. */
  async renewed(
    refused: Account,
    repository: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Account | undefined> {
    const asked = this.#asked.get(repository ?? '');
    if (asked !== undefined && asked.account === refused && Date.now() - asked.at < credentialLife) return undefined;
    const account = asked?.account === refused ? await this.#ask(repository, signal) : asked?.account;
    if (account === refused || account === undefined) return undefined;
    this.#accounts.delete(keyOf(refused.credential));
    return account;
  }

  #ask(repository: string | undefined, signal: AbortSignal | undefined): Promise<Account> {
    return this.#asking.join(repository ?? '', signal, async () => {
      const credential = await this.#credentialFor(repository);
      const account = this.#accountWith(credential);
      this.#asked.delete(repository ?? '');
      this.#asked.set(repository ?? '', { account, at: Date.now() });
      const [oldest] = this.#asked.keys();
      if (this.#asked.size > maxRepositories && oldest !== undefined) this.#asked.delete(oldest);
      return account;
    });
  }

  async #credentialFor(repository: string | undefined): Promise<Credential | undefined> {
    let credential: Credential | undefined;
    try {
      credential = await this.#credentials?.(this.#host, repository);
    } catch (cause) {
      // Its message may be about this machine; a proxy would pass it on.
      throw new RegistryError('UNAUTHORIZED', `the credentials for ${this.#host} could not be obtained`, { cause });
    }
    if (credential !== undefined) assertCredential(credential);
    return credential;
  }

  #accountWith(credential: Credential | undefined): Account {
    const key = keyOf(credential);
    const account = this.#accounts.get(key) ?? {
      credential,
      tokens: new Tokens(),
      flights: new Flights<GrantedToken>(),
      delivered: undefined,
      refreshing: Promise.resolve(),
    };
    this.#accounts.set(key, account);
    return account;
  }
}

function keyOf(credential: Credential | undefined): string {
  if (credential === undefined) return '';
  if ('accessToken' in credential) return JSON.stringify([credential.accessToken]);
  if ('refreshToken' in credential) return JSON.stringify([credential.username, credential.refreshToken, 'refresh']);
  return JSON.stringify([credential.username, credential.password]);
}

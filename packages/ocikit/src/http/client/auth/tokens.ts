// The tokens of one account.
import { scopeContains } from '../../wire/index.ts';
import type { Scope } from '../../wire/index.ts';

interface CachedToken {
  token: string;
  /** The scope that it was requested with. */
  scope: Scope;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** Tokens that are kept, one for each repository and scope; beyond that, the oldest is dropped. */
const maxTokens = 500;

/** The tokens of one account at one registry. They are never written anywhere. */
export class Tokens {
  #newestFirst: CachedToken[] = [];

  /** A token that is good for a scope; undefined if there is none. */
  find(wanted: Scope): string | undefined {
    const now = Date.now();
    return this.#newestFirst.find(({ scope, expiresAt }) => expiresAt > now && scopeContains(scope, wanted))?.token;
  }

  /** Adds a token, and drops those that are good for nothing more. */
  add(added: CachedToken): void {
    const kept = this.#newestFirst.filter(({ scope }) => !scopeContains(added.scope, scope));
    this.#newestFirst = [added, ...kept].slice(0, maxTokens);
  }

  /** Drops a token that was refused. */
  drop(token: string): void {
    this.#newestFirst = this.#newestFirst.filter((cached) => cached.token !== token);
  }
}

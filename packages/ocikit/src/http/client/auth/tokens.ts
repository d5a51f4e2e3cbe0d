import { scopeContains } from '../../wire/index.ts';
import type { Scope } from '../../wire/index.ts';

interface CachedToken {
  token: string;
  /** What it was asked for, or has been seen to be good for. */
  scope: Scope;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** One for each repository and what is done there; beyond it, the oldest goes. */
const maxTokens = 500;

/** The tokens of one account at one registry. They are never written anywhere. */
export class Tokens {
  #newestFirst: CachedToken[] = [];

  find(wanted: Scope): string | undefined {
    const now = Date.now();
    return this.#newestFirst.find(({ scope, expiresAt }) => expiresAt > now && scopeContains(scope, wanted))?.token;
  }

  /** It takes the place of those that are good for no more than it. */
  add(added: CachedToken): void {
    const kept = this.#newestFirst.filter(({ scope }) => !scopeContains(added.scope, scope));
    this.#newestFirst = [added, ...kept].slice(0, maxTokens);
  }

  /** It was refused. */
  drop(token: string): void {
    this.#newestFirst = this.#newestFirst.filter((cached) => cached.token !== token);
  }
}

// The interface of all that knows callers by a token.
import type { Identity } from '../../model/index.ts';

/**
 * Knows callers by their tokens: {@link tokenIssuer} those of its own tokens, `oidcIssuer` those of another issuer.
 *
 * @example
 * const identity = await tokens.identify(bearer);
 * if (identity === undefined) throw new RegistryError('UNAUTHORIZED', 'no issuer of such tokens is trusted');
 */
export interface TokenCheck {
  /**
   * Resolves to the identity that a token proves; undefined: another issuer has made it.
   *
   * Rejects with UNAUTHORIZED if the token is of this issuer and proves nothing; UNAVAILABLE if that cannot be told
   * now.
   */
  identify(token: string): Promise<Identity | undefined>;
}

/**
 * Joins several kinds of tokens. The first that knows a token's issuer judges it.
 *
 * @example const tokens = combineTokens(tokenIssuer(options), oidcIssuer(gitlab));
 */
export function combineTokens(...all: readonly TokenCheck[]): TokenCheck {
  return {
    async identify(token) {
      for (const one of all) {
        const identity = await one.identify(token);
        if (identity !== undefined) return identity;
      }
      return undefined;
    },
  };
}

// The challenges of a registry.
import { parseChallenges } from '../../wire/index.ts';
import { redactUrl, urlIn } from '../shared/index.ts';

import type { AuthenticatorOptions } from './options.ts';
import type { RealmRule } from './realms.ts';

/** A token server, as a registry has named it. */
export interface BearerChallenge {
  /** The URL that tokens are requested from. */
  realm: URL;
  /** The registry's name at its token server. */
  service: string | undefined;
  /** The scope as it came; empty if the challenge names none. */
  scope: string;
}

/** The ways to authenticate that a registry offers, as far as they are understood here. */
export interface Offer {
  /** By a token; undefined: the registry names no token server that may be asked. */
  bearer: BearerChallenge | undefined;
  /** By a user name and password. */
  basic: boolean;
}

/**
 * The ways to authenticate in the challenges of a response.
 *
 * @param headers the `WWW-Authenticate` headers of one response
 * @param known the token server that the registry named before: RFC 6750 lets it leave that out, as in
 * `insufficient_scope`
 */
export function offerOf(
  headers: readonly string[],
  realms: RealmRule,
  known: BearerChallenge | undefined,
  onTokenRequest: AuthenticatorOptions['onTokenRequest'],
): Offer {
  const challenges = headers.flatMap((header) => parseChallenges(header) ?? []);
  const basic = challenges.some(({ scheme }) => scheme === 'basic');
  for (const { scheme, parameters } of challenges) {
    if (scheme !== 'bearer') continue;
    const { realm: text, service, scope = '' } = parameters;
    if (text === undefined && known !== undefined) return { bearer: { ...known, scope }, basic };
    const realm = realms.locate(text);
    if (realm !== undefined) return { bearer: { realm, service, scope }, basic };
    const url = urlIn(text);
    const error = new Error('the realm is not the URL of a token server that may be asked');
    const shown = url === undefined ? '(no URL)' : redactUrl(url);
    onTokenRequest?.({ method: 'GET', url: shown, status: undefined, scope: scope.split(' '), error });
  }
  return { bearer: undefined, basic };
}

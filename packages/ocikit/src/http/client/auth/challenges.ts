import { parseChallenges } from '../../wire/index.ts';
import { redactUrl, urlIn } from '../shared/index.ts';

import type { AuthenticatorOptions } from './options.ts';
import type { RealmRule } from './realms.ts';

/** A token server, as a registry has named it. */
export interface BearerChallenge {
  realm: URL;
  service: string | undefined;
  /** As it came; there may be none. */
  scope: string;
}

/** The ways to authenticate that a registry offers and that are understood here. */
export interface Offer {
  bearer: BearerChallenge | undefined;
  basic: boolean;
}

/**
 * @param headers the `WWW-Authenticate` headers of one answer
 * @param known the token server that the registry named before: RFC 6750 lets it leave that out, as in `insufficient_scope`
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
    const error = new Error('the realm is no token server that may be asked');
    const shown = url === undefined ? '(no URL)' : redactUrl(url);
    onTokenRequest?.({ method: 'GET', url: shown, status: undefined, scope: scope.split(' '), error });
  }
  return { bearer: undefined, basic };
}

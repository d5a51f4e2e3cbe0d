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

/** Characters of a header that an error shows at most. */
const maxShown = 300;

/** The ways to authenticate that a registry offers, as far as they are understood here. */
export interface Offer {
  /** By a token; undefined: the registry names no token server that may be asked. */
  bearer: BearerChallenge | undefined;
  /** By a user name and password. */
  basic: boolean;
  /** Why a part of the challenges cannot be used; undefined if all of them were read. */
  unusable: string | undefined;
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
  const parsed = headers.map(parseChallenges);
  const challenges = parsed.flatMap((one) => one.challenges);
  const unread = parsed.flatMap((one) => one.unread).join(' ');
  const basic = challenges.some(({ scheme }) => scheme === 'basic');
  let unusable = unread === '' ? undefined : `its WWW-Authenticate could not be read at ${unread.slice(0, maxShown)}`;
  for (const { scheme, parameters } of challenges) {
    if (scheme !== 'bearer') continue;
    const { realm: text, service, scope = '' } = parameters;
    if (text === undefined && known !== undefined) return { bearer: { ...known, scope }, basic, unusable };
    const realm = realms.locate(text);
    if (realm !== undefined) return { bearer: { realm, service, scope }, basic, unusable };
    const url = urlIn(text);
    const shown = url === undefined ? '(no URL)' : redactUrl(url);
    const error = new Error('the realm is not the URL of a token server that may be asked');
    unusable ??= `${error.message}: ${url === undefined ? JSON.stringify(text?.slice(0, maxShown)) : shown}`;
    onTokenRequest?.({ method: 'GET', url: shown, status: undefined, scope: scope.split(' '), error });
  }
  return { bearer: undefined, basic, unusable };
}

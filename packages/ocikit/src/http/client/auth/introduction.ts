// Asking a registry how it wants to be authenticated to, before it says so itself.
import { discardBody } from '../shared/index.ts';

import type { AuthenticatorOptions } from './options.ts';

/**
 * The challenges with which a registry answers an anonymous request for its version: none if it has none, or cannot be
 * asked. Some are not those of a 401. distribution specification, "Determining Support"; RFC 9110, section 11.6.1.
 */
export async function askForChallenges({
  origin,
  fetch,
  userAgent,
}: Pick<AuthenticatorOptions, 'origin' | 'fetch' | 'userAgent'>): Promise<string[]> {
  try {
    const response = await fetch(new URL('/v2/', origin).href, {
      method: 'GET',
      redirect: 'manual',
      headers: { accept: '*/*', ...(userAgent === undefined ? {} : { 'user-agent': userAgent }) },
    });
    const header = response.headers.get('www-authenticate');
    await discardBody(response);
    return header === null ? [] : [header];
  } catch {
    // The request that the caller wants has been answered: its answer counts.
    return [];
  }
}

// Asking a registry how it wants to be authenticated to, before it says so itself.
import { discardBody } from '../shared/index.ts';

import type { AuthenticatorOptions } from './options.ts';

/**
 * The challenges with which a registry answers an anonymous request for its version: none if it has none, or cannot be
 * asked. distribution specification, "Determining Support".
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
    const header = response.status === 401 ? response.headers.get('www-authenticate') : null;
    await discardBody(response);
    return header === null ? [] : [header];
  } catch {
    // The request that the caller wants has been answered: its answer counts.
    return [];
  }
}

// Refusing changes that a web page of another site asks for.
import { RegistryError } from '../../model/index.ts';

import type { Exchange } from './shared/index.ts';

/** Methods that change nothing. RFC 9110, section 9.2.1. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Checks that a request which changes something does not come from a page of another site. A browser sends such a
 * request without asking the server first (CORS) if it looks like that of a form, with the user's cookies and from the
 * user's network. Programs other than browsers send neither `Sec-Fetch-Site` nor `Origin`.
 *
 * @param allowedOrigins see `ServerOptions.allowedOrigins`
 * @throws RegistryError DENIED
 */
export function assertOwnSite(
  exchange: Pick<Exchange, 'method' | 'header' | 'authority'>,
  allowedOrigins: readonly string[],
): void {
  if (safeMethods.has(exchange.method)) return;
  const site = exchange.header('sec-fetch-site');
  const origin = exchange.header('origin');
  if (site === undefined && origin === undefined) return;
  // The browser vouches for it, also behind a proxy that sends another Host.
  if (site === 'same-origin' || site === 'none') return;
  if (allowedOrigins.includes('*') || (origin !== undefined && allowedOrigins.includes(origin))) return;
  // A page of the same site may have another origin, for example another port of this machine.
  const isOwn = origin === undefined || isOriginOf(origin, exchange.authority ?? exchange.header('host'));
  if (isOwn && (site === undefined || site === 'same-site')) return;
  throw new RegistryError(
    'DENIED',
    `a web page of another site (${JSON.stringify((origin ?? 'unknown').slice(0, 300))}) may not change this registry, ` +
      'as CORS is not configured for it (in code: allowedOrigins)',
    { detail: { origin: origin?.slice(0, 300), site: site?.slice(0, 40) } },
  );
}

/** The scheme does not count: a proxy in front may end TLS. */
function isOriginOf(origin: string, host: string | undefined): boolean {
  const [, scheme] = /^(https?):\/\/[^/]/.exec(origin) ?? [];
  const own = `${scheme}://${host}`;
  if (scheme === undefined || host === undefined || !URL.canParse(origin) || !URL.canParse(own)) return false;
  return new URL(origin).host === new URL(own).host;
}

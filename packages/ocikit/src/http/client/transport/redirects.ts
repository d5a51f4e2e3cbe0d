// Redirects of a registry, for example to a blob's storage.
import { RedirectError, RegistryError } from '../../../model/index.ts';
import type { RedirectStatus } from '../../../model/index.ts';
import type { Fetch, RawBody } from '../../wire/index.ts';
import { discardBody, givenUrl, redactUrl } from '../shared/index.ts';

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** Redirects that are followed at most. */
const maxRedirects = 10;

/** One request on the way to a response. */
export interface Hop {
  /** The method: after a 303, GET. */
  method: string;
  /** The URL that the request is sent to. */
  url: URL;
  /** The headers. */
  headers: Readonly<Record<string, string>>;
}

/** How redirects are followed. */
export interface FollowOptions {
  /** The registry's base: only its origin is given `authorization`. */
  base: URL;
  /** The `Authorization` header; undefined: none. */
  authorization: string | undefined;
  /** Statuses that are returned though they look like redirects. */
  expect: readonly number[];
  /** Whether a redirect to another origin is thrown as a RedirectError, for the caller to pass on. */
  isGiven: boolean;
  /** Sends one request. `redirect` says what `fetch` does with a redirect. */
  send: (hop: Hop, redirect: 'manual' | 'follow') => Promise<Response & RawBody>;
  /** Called for each redirect before it is followed. */
  onRedirect: (status: number, to: URL) => void;
}

/** The response at the end of all redirects. */
export interface Followed {
  /** The response itself. */
  response: Response & RawBody;
  /** The URL that the response came from. */
  url: URL;
  /** The method of the last request. */
  method: string;
  /** Whether the response is the registry's own: challenges, warnings and limits of other servers do not count. */
  own: boolean;
}

/** The `fetch` functions that have hidden a redirect, as browsers do. */
const hides = new WeakSet<Fetch>();

/**
 * Sends a request and follows its redirects. Only the registry's origin is given credentials. Once a redirect has led
 * to another origin, a later one back to the registry gets none: another server has chosen its path.
 *
 * The method stays the same except after 303, also where browsers make a GET of a POST. RFC 9110, section 15.4.
 */
export async function follow(first: Hop, fetch: Fetch, options: FollowOptions): Promise<Followed> {
  const { base, authorization, expect, isGiven, send, onRedirect } = options;
  let { method, url } = first;
  let own = url.origin === base.origin;
  for (let redirects = 0; ; redirects++) {
    const kept = method === first.method ? first.headers : withoutContent(first.headers);
    const headers = own && authorization !== undefined ? { ...kept, authorization } : kept;
    const hop: Hop = { method, url, headers };
    let response = await send(hop, hides.has(fetch) ? 'follow' : 'manual');
    if (response.type === 'opaqueredirect') {
      // A page is not told the target. The browser follows the redirect itself, and protects credentials.
      hides.add(fetch);
      response = await send(hop, 'follow');
    }
    if (response.redirected) {
      const end = new URL(response.url);
      return { response, url: end, method, own: own && end.origin === base.origin };
    }
    const location = response.headers.get('location');
    if (!redirectStatuses.has(response.status) || expect.includes(response.status) || location === null) {
      return { response, url, method, own };
    }
    const next = givenUrl(location, url, base);
    const why = next === undefined ? 'to an invalid URL' : whyNot(url, next, redirects);
    await discardBody(response);
    if (next === undefined || why !== undefined) {
      const request = `${method} ${redactUrl(url)}`;
      throw new RegistryError(
        'UNKNOWN',
        `${request} was redirected (${response.status}) ${why ?? ''}; that is not followed`,
      );
    }
    onRedirect(response.status, next);
    if (isGiven && next.origin !== base.origin) throw new RedirectError(next.href, response.status as RedirectStatus);
    url = next;
    own &&= url.origin === base.origin;
    if (response.status === 303 && method !== 'HEAD') method = 'GET';
  }
}

/** The headers of a request that has lost its body. */
function withoutContent(headers: Hop['headers']): Hop['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('content-')));
}

/** Why a redirect is not followed; undefined: it is. */
function whyNot(from: URL, to: URL, redirects: number): string | undefined {
  if (redirects >= maxRedirects) return `after ${maxRedirects} others`;
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return `to ${to.protocol}`;
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'from https to http';
  return to.username === '' && to.password === '' ? undefined : 'to a URL with a user';
}

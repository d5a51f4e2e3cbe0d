import { RegistryError } from '../../../model/index.ts';
import type { Fetch, RawBody } from '../../wire/index.ts';

import { discardBody, redactUrl, urlIn } from '../shared/index.ts';

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** Hops until it is clear that they lead nowhere. */
const maxRedirects = 10;

export interface Hop {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
}

export interface FollowOptions {
  /** The registry's base: only its origin is given `authorization`. */
  base: URL;
  authorization: string | undefined;
  /** Statuses that are answers though they look like redirects. */
  expect: readonly number[];
  /** Sends one request. `redirect` is what `fetch` is to do with one. */
  send: (hop: Hop, redirect: 'manual' | 'follow') => Promise<Response & RawBody>;
  /** Told of each redirect before it is followed. */
  onRedirect: (status: number, to: URL) => void;
}

export interface Followed {
  response: Response & RawBody;
  /** Where the answer came from. */
  url: URL;
  method: string;
  /** Whether the answer is the registry's own: nobody else's challenges, warnings and limits count. */
  own: boolean;
}

/** A fetch that has once hidden a redirect, as browsers do. */
const hides = new WeakSet<Fetch>();

/**
 * Sends a request and follows where it is sent. Credentials stay with the registry's origin, and once a redirect has
 * led away from it, nothing brings them back: the path would be somebody else's choice.
 *
 * The method stays what it was, also where browsers make a GET of a POST, except after 303. RFC 9110, section 15.4.
 */
export async function follow(first: Hop, fetch: Fetch, options: FollowOptions): Promise<Followed> {
  const { base, authorization, expect, send, onRedirect } = options;
  let { method, url } = first;
  let own = url.origin === base.origin;
  for (let redirects = 0; ; redirects++) {
    const kept = method === first.method ? first.headers : withoutContent(first.headers);
    const headers = own && authorization !== undefined ? { ...kept, authorization } : kept;
    const hop: Hop = { method, url, headers };
    let response = await send(hop, hides.has(fetch) ? 'follow' : 'manual');
    if (response.type === 'opaqueredirect') {
      // A page is not told where to. The browser follows by itself, and takes care of credentials.
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
    const next = urlIn(location, url);
    const why = next === undefined ? 'to what is no URL' : whyNot(url, next, redirects);
    await discardBody(response);
    if (next === undefined || why !== undefined) {
      const request = `${method} ${redactUrl(url)}`;
      throw new RegistryError('UNKNOWN', `${request} was sent on (${response.status}) ${why ?? ''}`);
    }
    onRedirect(response.status, next);
    url = next;
    own &&= url.origin === base.origin;
    if (response.status === 303 && method !== 'HEAD') method = 'GET';
  }
}

/** What speaks of a body goes with it. */
function withoutContent(headers: Hop['headers']): Hop['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('content-')));
}

function whyNot(from: URL, to: URL, redirects: number): string | undefined {
  if (redirects >= maxRedirects) return `after ${maxRedirects} others`;
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return `to ${to.protocol}`;
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'from https to http';
  return to.username === '' && to.password === '' ? undefined : 'to a URL with a user';
}

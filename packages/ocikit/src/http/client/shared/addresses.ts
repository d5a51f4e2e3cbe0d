// The URL of a registry, and those of its content.
import { assertRepository, assertTag, parseDigest, RegistryError } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';
import { buildPath } from '../../wire/index.ts';
import type { Route } from '../../wire/index.ts';

/** Parses a URL, perhaps relative to another one; undefined if the text is no URL. */
export function urlIn(text: string | null | undefined, base?: URL): URL | undefined {
  return typeof text === 'string' && URL.canParse(text, base) ? new URL(text, base) : undefined;
}

/**
 * A URL that a registry gives of itself: in Location, Link, redirects and realms. A registry behind a proxy that ends
 * TLS may not know of https, nor of the proxy's port: it calls itself `http://HOST`, `http://HOST:443` or
 * `http://HOST:80`.
 *
 * @param from the URL that a relative one begins with
 */
export function givenUrl(text: string | null | undefined, from: URL, base: URL): URL | undefined {
  const url = urlIn(text, from);
  const isOwn = url?.protocol === 'http:' && base.protocol === 'https:' && url.hostname === base.hostname;
  if (!isOwn || !['', '80', '443', base.port].includes(url.port)) return url;
  url.protocol = 'https:';
  url.port = base.port;
  return url;
}

/**
 * Whether a registry's secrets may be sent to a URL: it needs https if the registry has https, and names no user of
 * its own.
 */
export function isSafe({ protocol, username, password }: URL, base: URL): boolean {
  return (protocol === 'https:' || (protocol === 'http:' && base.protocol === 'http:')) && username + password === '';
}

/** The parameters after the `?`; undefined values are left out. */
export type Query = Readonly<Record<string, string | undefined>>;

const dockerHubHosts = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

/**
 * The URL of a registry. Docker Hub's names lead to the host that speaks the API.
 *
 * @param scheme default: `http` for `localhost` and loopback addresses, else `https`
 * @throws RegistryError NAME_INVALID if `host` is anything but `HOST[:PORT]`; UNSUPPORTED for another scheme
 */
export function registryBase(host: string, scheme?: 'http' | 'https'): URL {
  if (!['http', 'https', undefined].includes(scheme)) {
    throw new RegistryError('UNSUPPORTED', `scheme is ${JSON.stringify(scheme)}: use 'https' or 'http'`);
  }
  if (typeof host !== 'string') throw new RegistryError('NAME_INVALID', "a host is needed, such as host: 'ghcr.io'");
  const lower = host.toLowerCase();
  if (dockerHubHosts.has(lower)) return new URL(`${scheme ?? 'https'}://registry-1.docker.io/`);
  // A host comes back from the parser unchanged. All else has a user, a path, or parts that a URL reads in another way.
  const text = `//${lower}/`;
  const url = urlIn(`https:${text}`);
  if (url === undefined || (url.host !== lower && `${url.host}:443` !== lower)) {
    throw new RegistryError('NAME_INVALID', `${shownHost(host)} is not HOST[:PORT]${insteadOf(host)}`);
  }
  return new URL(`${scheme ?? (isLoopback(url.hostname) ? 'http' : 'https')}:${text}`);
}

/** The host without a user and password, for an error message. */
function shownHost(host: string): string {
  return JSON.stringify(host.replace(/^(.*\/\/)?[^/]*@/, '$1').slice(0, 300));
}

/** The options to write instead of a URL or a reference, for an error message. */
function insteadOf(host: string): string {
  const [, scheme, authority, path = ''] = /^\s*(?:([a-z]*:)?\/\/)?(?:[^/]*@)?([^/?#\s]+)\/?\s*(.*)/is.exec(host) ?? [];
  const url = urlIn(`https://${authority}/`);
  if (url === undefined) return '';
  const wanted = scheme?.toLowerCase() === 'http:' ? ", scheme: 'http'" : '';
  return `: use host: '${url.host}'${wanted}${path === '' ? '' : ', and give the repository to each call'}`;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}

/** The URL of the list of repositories. */
export function catalogAddress(base: URL, query?: Query): URL {
  return address(base, { resource: 'catalog' }, query);
}

/**
 * The URL of a blob.
 *
 * @throws RegistryError NAME_INVALID, DIGEST_INVALID
 */
export function blobAddress(base: URL, repository: string, digest: Digest): URL {
  parseDigest(digest);
  return address(base, { resource: 'blob', repository, digest });
}

/**
 * The URL that begins uploads.
 *
 * @throws RegistryError NAME_INVALID
 */
export function uploadsAddress(base: URL, repository: string, query?: Query): URL {
  return address(base, { resource: 'uploads', repository }, query);
}

/**
 * The URL of a manifest by its digest.
 *
 * @throws RegistryError NAME_INVALID, DIGEST_INVALID
 */
export function manifestAddress(base: URL, repository: string, digest: Digest): URL {
  parseDigest(digest);
  return address(base, { resource: 'manifest', repository, reference: digest });
}

/**
 * The URL of a manifest by a tag.
 *
 * @throws RegistryError NAME_INVALID, MANIFEST_INVALID
 */
export function tagAddress(base: URL, repository: string, tag: string): URL {
  assertTag(tag);
  return address(base, { resource: 'manifest', repository, reference: tag });
}

/**
 * The URL of the list of tags.
 *
 * @throws RegistryError NAME_INVALID
 */
export function tagsAddress(base: URL, repository: string, query?: Query): URL {
  return address(base, { resource: 'tags', repository }, query);
}

/**
 * The URL of the list of a manifest's referrers.
 *
 * @throws RegistryError NAME_INVALID, DIGEST_INVALID
 */
export function referrersAddress(base: URL, repository: string, digest: Digest, query?: Query): URL {
  parseDigest(digest);
  return address(base, { resource: 'referrers', repository, digest }, query);
}

/**
 * Names are checked before they become part of a path: a malformed name, such as `..`, could point to another
 * resource. No registry has such a name.
 */
function address(base: URL, route: Route, query: Query = {}): URL {
  if ('repository' in route) assertRepository(route.repository);
  const url = new URL(buildPath(route), base);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.append(name, value);
  return url;
}

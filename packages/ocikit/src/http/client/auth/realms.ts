// Token servers: which may be asked, and which may be sent secrets.
import { givenUrl, isSafe } from '../shared/index.ts';

/** Which token servers may be asked for one registry, and which may be sent stored secrets. */
export interface RealmRule {
  /** The URL of a challenge's realm; undefined if no token may be fetched there. */
  locate(realm: string | undefined): URL | undefined;
  /** True if a URL may be asked at all: by https, unless the registry itself is reached by http. */
  mayBeAsked(url: URL): boolean;
  /**
   * True if stored secrets may be sent there as well:
   *
   * - the registry's own host, on any port
   * - a host below it, or above it: `registry.gitlab.com` and `gitlab.com`
   * - a host beside it, `registry-1.docker.io` and `auth.docker.io`, if their common domain belongs to one owner
   * - the token servers of {@link knownRealms}, and the origins that the caller trusts
   *
   * All others are asked anonymously.
   */
  mayHaveSecrets(url: URL): boolean;
}

/** Token servers of well-known registries that are in another domain, by the domain of the registry's host. */
const knownRealms: Readonly<Record<string, string>> = { 'scw.cloud': 'https://api.scaleway.com' };

/**
 * Domains in which strangers have hosts beside one another, and in which registries run. A client cannot know all such
 * domains. A hostile registry gains little by that: it can ask for the password itself, by Basic.
 */
const sharedDomains = new RegExp(
  String.raw`(?:^|\.)(?:${[
    'amazonaws.com(?:.cn)?|cloudfront.net|azurecr.(?:io|cn|us)|azurewebsites.net|azurecontainerapps.io|cloudapp.azure.com',
    'appspot.com|run.app|web.app|github.(?:io|dev)|gitlab.io|jfrog.io|herokuapp.com|fly.dev|vercel.app|netlify.app',
    'onrender.com|railway.app|deno.(?:dev|net)|pages.dev|workers.dev|trycloudflare.com|ngrok.(?:io|app|dev)',
    'ngrok-free.(?:app|dev)|ts.net|sslip.io|nip.io|duckdns.org|hf.space|gitpod.io|scw.cloud|ondigitalocean.app',
    'local|localhost|internal',
  ]
    .join('|')
    .replaceAll('.', String.raw`\.`)})$`,
);

/**
 * The rule for one registry.
 *
 * @param trusted origins of token servers that the caller trusts
 */
export function realmRule(registry: URL, trusted: readonly string[]): RealmRule {
  const origins = new Set(trusted.map((origin) => new URL(origin).origin));
  const known = Object.entries(knownRealms).find(([domain]) => registry.hostname.endsWith(`.${domain}`))?.[1];
  if (known !== undefined) origins.add(known);

  const mayBeAsked = (url: URL): boolean => isSafe(url, registry);

  return {
    mayBeAsked,
    locate: (realm = '') => {
      // A realm is a URL, or a path of the registry itself. A realm that is only a name, as for Basic, is no place.
      const url = /^(?:https?:\/\/|\/(?!\/))/i.test(realm) ? givenUrl(realm, registry, registry) : undefined;
      if (url === undefined || !mayBeAsked(url)) return undefined;
      url.hash = '';
      return url;
    },
    mayHaveSecrets: (url) =>
      mayBeAsked(url) && (origins.has(url.origin) || isOneOwner(registry.hostname, url.hostname)),
  };
}

/** Whether a registry's host and another one have the same owner, as far as their names can say. */
function isOneOwner(registry: string, host: string): boolean {
  if (registry === host) return true;
  if (isAddress(registry) || isAddress(host)) return false;
  // The owner of a domain above the registry's host decides where that host's name leads.
  if (host.endsWith(`.${registry}`) || (registry.endsWith(`.${host}`) && host.includes('.'))) return true;
  const domain = registry.slice(registry.indexOf('.') + 1);
  return (
    registry.includes('.') &&
    host.endsWith(`.${domain}`) &&
    !host.slice(0, -domain.length - 1).includes('.') &&
    isOwned(domain)
  );
}

function isAddress(host: string): boolean {
  return host.startsWith('[') || /^[\d.]+$/.test(host);
}

/**
 * Whether a domain has one owner: false for a top level, for names like `co.uk`, and where strangers can have hosts.
 */
function isOwned(domain: string): boolean {
  const [second = '', top, ...more] = domain.split('.');
  if (top === undefined) return false;
  if (more.length === 0 && top.length === 2 && second.length <= 3) return false;
  return !sharedDomains.test(domain);
}

import { isSafe, urlIn } from '../shared/index.ts';

/** Who may be a registry's token server, and whom stored secrets may be sent to. */
export interface RealmRule {
  /** Where a challenge's realm is; undefined if no token may be fetched there. */
  locate(realm: string | undefined): URL | undefined;
  /** True if it may be asked at all: by https, unless the registry itself is reached without. */
  mayBeAsked(url: URL): boolean;
  /**
   * True if stored secrets may be sent there as well:
   *
   * - the registry's own host, on any port
   * - a host below it, or above it: `registry.gitlab.com` and `gitlab.com`
   * - a host beside it, `registry-1.docker.io` and `auth.docker.io`, if the domain that both are in belongs to one owner
   * - the token servers of {@link knownRealms}, and the origins that the caller trusts
   *
   * All others are asked for what anybody may have.
   */
  mayHaveSecrets(url: URL): boolean;
}

/** Token servers of well-known registries that are in another domain, by the domain of the registry's host. */
const knownRealms: Readonly<Record<string, string>> = { 'scw.cloud': 'https://api.scaleway.com' };

/**
 * Domains in which strangers have hosts beside one another, of those where registries are seen to run. There are more of
 * them than a client can know; but a registry that means harm can ask for the password itself, by Basic.
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

/** @param trusted origins of token servers */
export function realmRule(registry: URL, trusted: readonly string[]): RealmRule {
  const origins = new Set(trusted.map((origin) => new URL(origin).origin));
  const known = Object.entries(knownRealms).find(([domain]) => registry.hostname.endsWith(`.${domain}`))?.[1];
  if (known !== undefined) origins.add(known);

  const mayBeAsked = (url: URL): boolean => isSafe(url, registry);

  return {
    mayBeAsked,
    locate: (realm = '') => {
      // Some registries name a path of their own; a realm that is only a name, as Basic has it, is no place.
      const url = /^(?:https?:\/\/|\/(?!\/))/i.test(realm) ? urlIn(realm, registry) : undefined;
      if (url === undefined || !mayBeAsked(url)) return undefined;
      url.hash = '';
      return url;
    },
    mayHaveSecrets: (url) =>
      mayBeAsked(url) && (origins.has(url.origin) || isOneOwner(registry.hostname, url.hostname)),
  };
}

/** Whether whoever has a registry's host also has this one, as far as their names can say. */
function isOneOwner(registry: string, host: string): boolean {
  if (registry === host) return true;
  if (isAddress(registry) || isAddress(host)) return false;
  // Above are those who decide what the name of the registry's host leads to.
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

/** False for a top level, for what looks like `co.uk`, and for where anybody can have a host. */
function isOwned(domain: string): boolean {
  const [second = '', top, ...more] = domain.split('.');
  if (top === undefined) return false;
  if (more.length === 0 && top.length === 2 && second.length <= 3) return false;
  return !sharedDomains.test(domain);
}

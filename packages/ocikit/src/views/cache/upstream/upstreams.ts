import { isRepository, RegistryError } from '../../../model/index.ts';
import type { CallContext, Registry } from '../../../model/index.ts';

/** Where a repository comes from. */
export interface UpstreamChoice {
  upstream: Registry;
  /** Its name there. */
  repository: string;
  /** Its name in the cache's store: two repositories that are not the same need different ones. */
  keptAs: string;
  /** What the upstream is told of the call. */
  context?: CallContext | undefined;
}

/** One of several upstreams, as far as a list of all repositories is concerned. */
export interface ListedUpstream {
  upstream: Registry;
  /** What the names of its repositories begin with here, and in the store: empty, or with a slash at its end. */
  prefix: string;
}

/** The registries behind a cache, and which of them a call is for. {@link upstreams} makes one; write your own for other rules. */
export interface Upstreams {
  /** Rejects by throwing, or returns undefined, if nobody has it: NAME_UNKNOWN. */
  choose(repository: string, context: CallContext | undefined): UpstreamChoice | undefined;
  /** In any order. Default: none, then only what is kept is listed. */
  readonly listed?: readonly ListedUpstream[] | undefined;
}

const hub = 'docker.io';
const hubHosts = new Set([hub, 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

export interface UpstreamsOptions {
  /** Whose repositories are those of which nothing says where they are; false: nobody's. Default: the first one. */
  default?: string | false | undefined;
}

/**
 * Several upstreams by their hosts. The host that a client means is
 *
 * 1. the `ns` parameter ("Registry Proxying"; containerd and Docker send it): a host that is none of these is NAME_UNKNOWN
 * 2. the beginning of the name: `ghcr.io/owner/app`
 * 3. the default
 *
 * At `docker.io` a repository of one component is in `library/`. The store has everything below its host's name, so that
 * equal names of two hosts never meet.
 *
 * @example
 * const registry = cache(
 *   upstreams({
 *     'docker.io': createClient({ host: 'docker.io' }),
 *     'ghcr.io': createClient({ host: 'ghcr.io' }),
 *   }),
 *   openLayout('./cache', { sparse: true }),
 * );
 * @throws TypeError if there is none, or the default is none of them
 */
export function upstreams(registries: Readonly<Record<string, Registry>>, options: UpstreamsOptions = {}): Upstreams {
  const members = new Map<string, ListedUpstream>();
  for (const [host, upstream] of Object.entries(registries)) {
    const name = nameOf(host);
    members.set(name, { upstream, prefix: `${componentOf(name)}/` });
  }
  const [first] = members.keys();
  if (first === undefined) throw new TypeError('a cache needs an upstream');
  const { default: given = first } = options;
  const fallback = given === false ? undefined : members.get(nameOf(given));
  if (fallback === undefined && given !== false) throw new TypeError(`${given} is none of the upstreams`);
  const byPrefix = [...members.values()];

  return {
    listed: byPrefix,
    choose(repository, context) {
      const namespace = context?.namespace;
      if (namespace !== undefined && namespace !== '') {
        const meant = members.get(nameOf(namespace));
        if (meant === undefined) {
          throw new RegistryError('NAME_UNKNOWN', 'this cache does not have the registry that ns names', {
            detail: { name: repository },
          });
        }
        return choiceOf(meant, repository, context);
      }
      const found = byPrefix.find(({ prefix }) => repository.startsWith(prefix));
      if (found !== undefined) return choiceOf(found, repository.slice(found.prefix.length), context);
      return fallback === undefined ? undefined : choiceOf(fallback, repository, context);
    },
  };
}

function choiceOf(
  { upstream, prefix }: ListedUpstream,
  name: string,
  context: CallContext | undefined,
): UpstreamChoice {
  const repository = prefix === `${hub}/` && !name.includes('/') ? `library/${name}` : name;
  // The upstream is the registry that was meant: it need not be told.
  return { upstream, repository, keptAs: prefix + repository, context: { ...context, namespace: undefined } };
}

function nameOf(host: string): string {
  const lower = host.toLowerCase();
  return hubHosts.has(lower) ? hub : lower;
}

/** A host as a component of a name, which has no colon: `localhost:5000` is `localhost_5000`. No host has an underscore. */
function componentOf(host: string): string {
  const plain = host.replace(':', '_');
  if (isRepository(plain) && !plain.includes('/')) return plain;
  const bytes = new TextEncoder().encode(host);
  return `x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** One upstream: names stay as they are, and so does what it is told. */
export function soleUpstream(upstream: Registry): Upstreams {
  return {
    listed: [{ upstream, prefix: '' }],
    choose: (repository, context) => ({ upstream, repository, keptAs: repository, context }),
  };
}

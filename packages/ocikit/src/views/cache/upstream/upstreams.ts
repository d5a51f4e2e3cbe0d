// Chooses the upstream of a repository, by the host that the client names.
import { isRepository, RegistryError } from '../../../model/index.ts';
import type { CallContext, Registry } from '../../../model/index.ts';

/** The upstream of a repository, and its names. */
export interface UpstreamChoice {
  /** The registry that has it. */
  upstream: Registry;
  /** Its name in the upstream. */
  repository: string;
  /** Its name in the cache's store. Each repository needs a name of its own. */
  keptAs: string;
  /** The context for calls to the upstream. Default: none. */
  context?: CallContext | undefined;
}

/** An upstream in the list of all repositories. */
export interface ListedUpstream {
  /** The registry that lists them. */
  upstream: Registry;
  /** The beginning of its repositories' names in the cache and in the store: empty, or with a slash at its end. */
  prefix: string;
}

/** Chooses the registry behind a cache for a call. {@link upstreams} makes one; write your own for other rules. */
export interface Upstreams {
  /** The upstream of a repository. Undefined if no upstream has it: NAME_UNKNOWN. It may throw to refuse the call. */
  choose(repository: string, context: CallContext | undefined): UpstreamChoice | undefined;
  /** The upstreams to list, in any order. Default: none, and the list has only the repositories in the store. */
  readonly listed?: readonly ListedUpstream[] | undefined;
}

const hub = 'docker.io';
const hubHosts = new Set([hub, 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

/** How {@link upstreams} chooses. */
export interface UpstreamsOptions {
  /** The host of repositories that name none; false: such a repository is unknown. Default: the first host. */
  default?: string | false | undefined;
}

/**
 * Several upstreams by their hosts. The host of a call is, in this order,
 *
 * 1. the `ns` parameter ("Registry Proxying"; containerd and Docker send it). An unknown host is NAME_UNKNOWN
 * 2. the beginning of the name: `ghcr.io/owner/app`
 * 3. the default
 *
 * At `docker.io` a repository of one component is in `library/`. In the store, names begin with the host's name, so
 * equal names of two hosts stay apart.
 *
 * @example
 * const registry = cache(
 *   upstreams({
 *     'docker.io': createClient({ host: 'docker.io' }),
 *     'ghcr.io': createClient({ host: 'ghcr.io' }),
 *   }),
 *   openLayout('./cache', { sparse: true }),
 * );
 * @throws TypeError if there is no upstream, or the default is none of them
 */
export function upstreams(registries: Readonly<Record<string, Registry>>, options: UpstreamsOptions = {}): Upstreams {
  const members = new Map<string, ListedUpstream>();
  for (const [host, upstream] of Object.entries(registries)) {
    const name = nameOf(host);
    members.set(name, { upstream, prefix: `${componentOf(name)}/` });
  }
  const [first] = members.keys();
  if (first === undefined) throw new TypeError('a cache needs at least one upstream');
  const { default: given = first } = options;
  const fallback = given === false ? undefined : members.get(nameOf(given));
  if (fallback === undefined && given !== false)
    throw new TypeError(`the default host ${given} is none of the upstreams`);
  const byPrefix = [...members.values()];

  return {
    listed: byPrefix,
    choose(repository, context) {
      const namespace = context?.namespace;
      if (namespace !== undefined && namespace !== '') {
        const meant = members.get(nameOf(namespace));
        if (meant === undefined) {
          throw new RegistryError('NAME_UNKNOWN', 'this cache has no upstream for the host in ns', {
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
  // The upstream is the registry that `ns` names, so it does not get `ns`.
  return { upstream, repository, keptAs: prefix + repository, context: { ...context, namespace: undefined } };
}

function nameOf(host: string): string {
  const lower = host.toLowerCase();
  return hubHosts.has(lower) ? hub : lower;
}

/**
 * A host as a component of a name. Names have no colon: `localhost:5000` is `localhost_5000`. No host has an
 * underscore.
 */
function componentOf(host: string): string {
  const plain = host.replace(':', '_');
  if (isRepository(plain) && !plain.includes('/')) return plain;
  const bytes = new TextEncoder().encode(host);
  return `x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** One upstream. Names and contexts stay as they are. */
export function soleUpstream(upstream: Registry): Upstreams {
  return {
    listed: [{ upstream, prefix: '' }],
    choose: (repository, context) => ({ upstream, repository, keptAs: repository, context }),
  };
}

import { isRegistryError, limit as atMost, merge } from '../../../model/index.ts';
import type { Descriptor, Digest, ListOptions, ReferrersOptions, Registry } from '../../../model/index.ts';

import type { Place, Upstream } from '../upstream/index.ts';
import { isOutage } from '../upstream/index.ts';

/** One of the upstreams that are asked for their repositories. */
export interface Listed {
  upstream: Upstream;
  /** See `ListedUpstream`. */
  prefix: string;
}

/** The tags that the upstream lists; those that are kept if it cannot be asked. */
export function cachedTags(store: Registry, place: Place, options: ListOptions): AsyncIterable<string> {
  const { upstream, repository, keptAs, context } = place;
  return either(
    upstream.list((registry) => registry.tags(repository, { ...options, context }), options.signal),
    () => store.tags(keptAs, { ...options, context: undefined }),
    isOutage,
  );
}

/** As {@link cachedTags}. What is kept of them is what somebody has pulled. */
export function cachedReferrers(
  store: Registry,
  place: Place,
  digest: Digest,
  options: ReferrersOptions,
): AsyncIterable<Descriptor> {
  const { upstream, repository, keptAs, context } = place;
  return either(
    upstream.list((registry) => registry.referrers(repository, digest, { ...options, context }), options.signal),
    () => store.referrers(keptAs, digest, { ...options, context: undefined }),
    isOutage,
  );
}

/**
 * The repositories of all upstreams, by the names that they have here. Of an upstream that does not list them, as Docker
 * Hub, or cannot be asked, those of which something is kept.
 */
export function cachedRepositories(
  store: Registry,
  listed: readonly Listed[],
  options: ListOptions,
): AsyncIterable<string> {
  return atMost(merge(listed.map((one) => repositoriesOf(store, one, options))), options.limit);
}

function repositoriesOf(store: Registry, { upstream, prefix }: Listed, options: ListOptions): AsyncIterable<string> {
  const { startAfter, limit, signal } = options;
  const isPast = startAfter !== undefined && !startAfter.startsWith(prefix) && startAfter > prefix;
  if (isPast) return none();
  const from = startAfter?.startsWith(prefix) === true ? startAfter.slice(prefix.length) || undefined : undefined;
  const there = upstream.list((registry) => registry.repositories({ startAfter: from, limit, signal }), signal);
  return either(
    prefixed(there, prefix),
    () => keptBelow(store, prefix, options),
    (error) => isRegistryError(error),
  );
}

async function* prefixed(names: AsyncIterable<string>, prefix: string): AsyncGenerator<string, void, undefined> {
  for await (const name of names) yield prefix + name;
}

async function* keptBelow(
  store: Registry,
  prefix: string,
  { startAfter, signal }: ListOptions,
): AsyncGenerator<string, void, undefined> {
  // No name ends with a slash, so this is just before the first one below it.
  const from = startAfter?.startsWith(prefix) === true ? startAfter : prefix === '' ? startAfter : prefix.slice(0, -1);
  for await (const name of store.repositories({ startAfter: from, signal })) {
    if (name.startsWith(prefix)) yield name;
    else if (name > prefix) return;
  }
}

async function* none(): AsyncGenerator<never, void, undefined> {
  // There is nothing.
}

/** The first list, or the second one if the first fails at its beginning: what has been given cannot be taken back. */
async function* either<T>(
  first: AsyncIterable<T>,
  second: () => AsyncIterable<T>,
  mayFail: (error: unknown) => boolean,
): AsyncGenerator<T, void, undefined> {
  let hasBegun = false;
  let failure: { error: unknown } | undefined;
  try {
    for await (const item of first) {
      hasBegun = true;
      yield item;
    }
    return;
  } catch (error) {
    if (hasBegun || !mayFail(error)) throw error;
    failure = { error };
  }
  try {
    yield* second();
  } catch (error) {
    // What is not kept either is not unknown: nobody knows.
    throw isRegistryError(error, 'NAME_UNKNOWN') ? failure.error : error;
  }
}

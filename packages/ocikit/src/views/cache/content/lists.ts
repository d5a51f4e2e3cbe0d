// Lists through a cache: from the upstream, or from the store while the upstream cannot be reached.
import { isRegistryError, limit as atMost, merge, nameFilter } from '../../../model/index.ts';
import type { Descriptor, Digest, ListOptions, ReferrersOptions, Registry } from '../../../model/index.ts';

import type { OnCacheEvent } from '../shared/index.ts';
import type { Place, Upstream } from '../upstream/index.ts';
import { isOutage } from '../upstream/index.ts';

/** An upstream that lists its repositories. */
export interface Listed {
  /** The upstream. */
  upstream: Upstream;
  /** See `ListedUpstream`. */
  prefix: string;
}

/** The tags that the upstream lists; the kept tags if the upstream cannot be reached. */
export function cachedTags(
  store: Registry,
  place: Place,
  options: ListOptions,
  tell: OnCacheEvent,
): AsyncIterable<string> {
  const { upstream, repository, keptAs, context } = place;
  const isName = nameFilter('tags', (error) =>
    tell({ type: 'malformed', kind: 'tag', repository: keptAs, reference: '', error }),
  );
  return either(
    namesIn(
      (from) => upstream.list((registry) => registry.tags(repository, { ...from, context }), options.signal),
      options,
      isName,
    ),
    () => store.tags(keptAs, { ...options, context: undefined }),
    isOutage,
  );
}

/** As {@link cachedTags}, for referrers. The store has only the referrers that a caller has pulled. */
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
 * The repositories of all upstreams, by their names in the cache. If an upstream cannot be reached or does not list
 * repositories (Docker Hub does not), the list has its repositories with kept content.
 */
export function cachedRepositories(
  store: Registry,
  listed: readonly Listed[],
  options: ListOptions,
  tell: OnCacheEvent,
): AsyncIterable<string> {
  return atMost(merge(listed.map((one) => repositoriesOf(store, one, options, tell))), options.limit);
}

function repositoriesOf(
  store: Registry,
  { upstream, prefix }: Listed,
  options: ListOptions,
  tell: OnCacheEvent,
): AsyncIterable<string> {
  const { startAfter, limit, signal } = options;
  const isPast = startAfter !== undefined && !startAfter.startsWith(prefix) && startAfter > prefix;
  if (isPast) return none();
  const from = startAfter?.startsWith(prefix) === true ? startAfter.slice(prefix.length) || undefined : undefined;
  const isName = nameFilter('repositories', (error) =>
    tell({ type: 'malformed', kind: 'repository', repository: prefix, reference: '', error }),
  );
  const there = namesIn(
    (list) => upstream.list((registry) => registry.repositories(list), signal),
    { startAfter: from, limit, signal },
    isName,
  );
  return either(
    prefixed(there, prefix),
    () => keptBelow(store, prefix, options),
    (error) => isRegistryError(error),
  );
}

/** The names of a list of an upstream, without the texts that are no names. */
async function* namesIn(
  list: (options: ListOptions) => AsyncIterable<string>,
  options: ListOptions,
  isName: (name: string) => boolean,
): AsyncGenerator<string, void, undefined> {
  const { limit } = options;
  let [count, good, last] = [0, 0, options.startAfter];
  for await (const name of list(options)) {
    count++;
    if (!isName(name)) continue;
    good++;
    last = name;
    yield name;
  }
  if (limit === undefined || count < limit || good === count) return;
  // The texts that were left out took the places of names.
  let missing = limit - good;
  for await (const name of list({ ...options, startAfter: last, limit: undefined })) {
    if (!isName(name)) continue;
    yield name;
    if (--missing === 0) return;
  }
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

/** The first list; the second one if the first fails before its first item. Items cannot be taken back. */
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
    // The store does not know the repository, but the upstream may: its failure is the answer.
    throw isRegistryError(error, 'NAME_UNKNOWN') ? failure.error : error;
  }
}

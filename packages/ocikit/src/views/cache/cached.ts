// Reads and lists through a cache: finds the place of a repository, then reads blobs, manifests, tags or lists.
import { assertRepository, assertTag, nameUnknown, parseDigest } from '../../model/index.ts';
import type { CallOptions, Digest, Lister, Reader, Registry, RegistryError } from '../../model/index.ts';

import {
  CachedBlobs,
  CachedManifests,
  cachedReferrers,
  cachedRepositories,
  cachedTags,
  CachedTags,
  TagStates,
} from './content/index.ts';
import { Eviction } from './eviction.ts';
import { ExpiringMap } from './shared/index.ts';
import type { CacheSettings } from './shared/index.ts';
import type { Place, Upstreams } from './upstream/index.ts';
import { Upstream } from './upstream/index.ts';

/** Reading and listing through a cache. */
export interface Cached extends Reader, Lister {
  /** Ends running downloads, and eviction. */
  close: () => Promise<void>;
}

/** Reads from a store, and from the upstreams for content that the store lacks. */
export function cached(upstreams: Upstreams, store: Registry, settings: CacheSettings): Cached {
  const known = new WeakMap<Registry, Upstream>();
  const upstreamOf = (registry: Registry): Upstream => {
    const upstream = known.get(registry) ?? new Upstream(registry);
    known.set(registry, upstream);
    return upstream;
  };
  const eviction = settings.maxSize === undefined ? undefined : new Eviction(store, settings, settings.maxSize);
  const onKept = (size: number): void => eviction?.grew(size);
  const unknown = new ExpiringMap<RegistryError>();
  const states = new TagStates();
  const tagsAt = (place: Place, digest: Digest): string[] => states.tagsAt(place.keptAs, digest);
  const blobs = new CachedBlobs(store, settings, unknown, onKept);
  const manifests = new CachedManifests(store, settings, unknown, { onKept, tagsAt });
  const tags = new CachedTags(store, settings, unknown, { manifests, states });

  /** Checks the names before they are sent to an upstream or become a path. */
  const placeOf = (repository: string, { signal, context }: CallOptions): Place => {
    signal?.throwIfAborted();
    assertRepository(repository);
    const choice = upstreams.choose(repository, context);
    if (choice === undefined) throw nameUnknown(repository);
    assertRepository(choice.repository);
    assertRepository(choice.keptAs);
    return {
      name: repository,
      upstream: upstreamOf(choice.upstream),
      repository: choice.repository,
      keptAs: choice.keptAs,
      context: choice.context,
    };
  };

  return {
    async getBlob(repository, digest, options = {}) {
      return blobs.get(placeOf(repository, options), parseDigest(digest), options);
    },
    async resolveBlob(repository, digest, options = {}) {
      return blobs.resolve(placeOf(repository, options), parseDigest(digest), options);
    },
    async getManifest(repository, digest, options = {}) {
      return manifests.get(placeOf(repository, options), parseDigest(digest), options);
    },
    async resolveManifest(repository, digest, options = {}) {
      return manifests.resolve(placeOf(repository, options), parseDigest(digest), options);
    },
    async getTag(repository, tag, options = {}) {
      const place = placeOf(repository, options);
      assertTag(tag);
      return tags.get(place, tag, options);
    },
    async resolveTag(repository, tag, options = {}) {
      const place = placeOf(repository, options);
      assertTag(tag);
      return tags.resolve(place, tag, options);
    },
    async *repositories(options = {}) {
      options.signal?.throwIfAborted();
      const listed = (upstreams.listed ?? []).map(({ upstream, prefix }) => ({
        upstream: upstreamOf(upstream),
        prefix,
      }));
      yield* listed.length === 0
        ? store.repositories(options)
        : cachedRepositories(store, listed, options, settings.tell);
    },
    async *tags(repository, options = {}) {
      yield* cachedTags(store, placeOf(repository, options), options, settings.tell);
    },
    async *referrers(repository, digest, options = {}) {
      yield* cachedReferrers(store, placeOf(repository, options), parseDigest(digest), options);
    },
    async close() {
      await Promise.all([blobs.fills.close(), eviction?.close()]);
    },
  };
}

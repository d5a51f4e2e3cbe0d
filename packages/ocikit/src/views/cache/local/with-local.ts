// Combines a cache with a registry of its own for all pushes.
import {
  history,
  isRegistryError,
  limit as atMost,
  maintenance,
  maintenanceOf,
  merge,
  verifiesPushes,
} from '../../../model/index.ts';
import type { CallOptions, Descriptor, Lister, Reader, Registry } from '../../../model/index.ts';
import { forward } from '../../shared/index.ts';
import type { View } from '../../shared/index.ts';

import { pushCopyingMissing } from './copy-missing.ts';
import { isOutage, isRefusal, isUnknown } from '../upstream/index.ts';

/**
 * A cache with a local registry that takes all pushes. The local registry is asked first, unless the caller names
 * another registry. Its content hides content of an upstream with the same name.
 */
export function withLocal(cached: Reader & Lister, local: Registry): View {
  /** Reads from the local registry; from the cache if the local registry does not have the content. */
  const first = async <T>(options: CallOptions | undefined, read: (from: Reader) => Promise<T>): Promise<T> => {
    if (isForeign(options)) return read(cached);
    const missing = await orUnknown(read(local));
    if ('found' in missing) return missing.found;
    try {
      return await read(cached);
    } catch (error) {
      throw errorOf(missing.error, error);
    }
  };

  return {
    getBlob: (repository, digest, options) => first(options, (from) => from.getBlob(repository, digest, options)),
    getManifest: (repository, digest, options) =>
      first(options, (from) => from.getManifest(repository, digest, options)),
    getTag: (repository, tag, options) => first(options, (from) => from.getTag(repository, tag, options)),
    async resolveBlob(repository, digest, options) {
      if (isForeign(options)) return cached.resolveBlob(repository, digest, options);
      const missing = await orUnknown(local.resolveBlob(repository, digest, options));
      if ('found' in missing) return missing.found;
      try {
        return await cached.resolveBlob(repository, digest, options);
      } catch (error) {
        // A client asks this before it pushes. That has to work while the upstream is down.
        throw isOutage(error) ? missing.error : errorOf(missing.error, error);
      }
    },
    resolveManifest: (repository, digest, options) =>
      first(options, (from) => from.resolveManifest(repository, digest, options)),
    resolveTag: (repository, tag, options) => first(options, (from) => from.resolveTag(repository, tag, options)),

    repositories: (options = {}) => both(cached.repositories(options), local.repositories(options), options),
    tags: (repository, options = {}) => {
      const theirs = cached.tags(repository, options);
      return isForeign(options) ? theirs : both(local.tags(repository, options), theirs, options);
    },
    async *referrers(repository, digest, options = {}) {
      const theirs = cached.referrers(repository, digest, options);
      if (isForeign(options)) {
        yield* theirs;
        return;
      }
      const merged = merge([local.referrers(repository, digest, options), orNone(theirs)], inOrder);
      yield* atMost(merged, options.limit);
    },

    ...forward(local, 'pushBlob', 'startUpload', 'resumeUpload', 'mountBlob'),
    pushManifest: (repository, bytes, mediaType, options) =>
      pushCopyingMissing({ cached, local, repository, options }, () =>
        local.pushManifest(repository, bytes, mediaType, options),
      ),
    ...forward(local, 'deleteBlob', 'deleteManifest', 'deleteTag'),
    // The cache maintains its store itself.
    [maintenance]: maintenanceOf(local),
    // The upstream's part of the history is not known.
    [history]: undefined,
    [verifiesPushes]: local[verifiesPushes],
  };
}

/** Whether the client names another registry (`ns`). Content that was pushed here does not belong to that one. */
function isForeign(options: CallOptions | undefined): boolean {
  const namespace = options?.context?.namespace;
  return namespace !== undefined && namespace !== '';
}

async function orUnknown<T>(read: Promise<T>): Promise<{ found: T } | { error: unknown }> {
  try {
    return { found: await read };
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return { error };
  }
}

/**
 * The error for the caller if neither has the content. Many upstreams answer DENIED for an unknown name: then the local
 * registry's error counts.
 */
function errorOf(here: unknown, there: unknown): unknown {
  return isRefusal(there) || (isUnknown(there) && !isRegistryError(here, 'NAME_UNKNOWN')) ? here : there;
}

/** Both lists merged. It is enough if one of them knows the repository. */
async function* both(
  a: AsyncIterable<string>,
  b: AsyncIterable<string>,
  { limit }: { limit?: number | undefined },
): AsyncGenerator<string, void, undefined> {
  const unknown: unknown[] = [];
  const known = async function* (names: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
    try {
      yield* names;
    } catch (error) {
      if (!isUnknown(error) && !isRefusal(error) && !isOutage(error)) throw error;
      unknown.push(error);
      if (unknown.length === 2) throw unknown.find(isOutage) ?? unknown.find(isUnknown) ?? error;
    }
  };
  yield* atMost(merge([known(a), known(b)]), limit);
}

async function* orNone<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* items;
  } catch (error) {
    if (!isRefusal(error) && !isUnknown(error)) throw error;
  }
}

function inOrder(a: Descriptor, b: Descriptor): number {
  return a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0;
}

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
 * What is cached, and a registry that takes all pushes. It is asked first, unless the caller means another registry; what
 * it has hides what an upstream has by the same name.
 */
export function withLocal(cached: Reader & Lister, local: Registry): View {
  /** From the local registry, else from the cache. */
  const first = async <T>(options: CallOptions | undefined, read: (from: Reader) => Promise<T>): Promise<T> => {
    if (isForeign(options)) return read(cached);
    const missing = await orUnknown(read(local));
    if ('found' in missing) return missing.found;
    try {
      return await read(cached);
    } catch (error) {
      throw told(missing.error, error);
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
        // Who pushes asks this first, and must be able to while the upstream is down.
        throw isOutage(error) ? missing.error : told(missing.error, error);
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
    // What is cached looks after itself.
    [maintenance]: maintenanceOf(local),
    // Of the upstream's tags nothing is known.
    [history]: undefined,
    [verifiesPushes]: local[verifiesPushes],
  };
}

/** The client means another registry: what was pushed here is not of it. */
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
 * What a caller is told if neither has it. An upstream that does not let the cache look, as many do instead of saying that they
 * know no such name, says nothing of what was pushed here.
 */
function told(here: unknown, there: unknown): unknown {
  return isRefusal(there) || (isUnknown(there) && !isRegistryError(here, 'NAME_UNKNOWN')) ? here : there;
}

/** Both lists in one. What only one of them knows is known. */
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

// A view of a registry with its tags as they were at an earlier time.
import { collect, limit as atMost, partialRegistry, RegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, ListOptions, Registry } from '../../model/index.ts';

import { requireHistory } from '../shared/index.ts';

import { tagsMovedSince } from './moved-tags.ts';
import { tagAt } from './tag-at.ts';

/**
 * Gives a read-only registry whose tags are as they were at an earlier time. Everything else is as it is now: if the
 * content of a tag is gone, the tag is still listed, but getting it rejects with MANIFEST_UNKNOWN. See {@link tagAt}
 * for moves that the registry does not know.
 *
 * Listing tags holds the names of all tags of the repository in memory.
 *
 * @throws RegistryError UNSUPPORTED if the registry has no history
 * @example const image = await asOf(registry, new Date('2026-03-01')).getTag('team/app', 'latest');
 */
export function asOf(registry: Registry, time: Date): Registry {
  const history = requireHistory(registry);

  const resolve = async (repository: string, tag: string, options: CallOptions | undefined): Promise<Digest> => {
    const digest = await tagAt(registry, repository, tag, time, options);
    if (digest !== undefined) return digest;
    throw new RegistryError(
      'MANIFEST_UNKNOWN',
      `${repository} had no tag ${tag} at ${time.toISOString()}, as far as its history tells`,
      {
        detail: { tag },
      },
    );
  };

  async function* tags(repository: string, options: ListOptions): AsyncGenerator<string, void, undefined> {
    const { startAfter, signal, context } = options;
    // Read the current tags before the moves: a tag that moves in between is then among the moves.
    const now = await collect(registry.tags(repository, { startAfter, signal, context }));
    const before = await tagsMovedSince(history, repository, time, { signal, context });
    const names = new Set(now);
    for (const [tag, digest] of before) {
      if (digest === undefined) names.delete(tag);
      else if (startAfter === undefined || tag > startAfter) names.add(tag);
    }
    yield* [...names].toSorted();
  }

  return partialRegistry(
    {
      getBlob: registry.getBlob.bind(registry),
      resolveBlob: registry.resolveBlob.bind(registry),
      getManifest: registry.getManifest.bind(registry),
      resolveManifest: registry.resolveManifest.bind(registry),
      repositories: registry.repositories.bind(registry),
      referrers: registry.referrers.bind(registry),
      async getTag(repository, tag, options) {
        return registry.getManifest(repository, await resolve(repository, tag, options), options);
      },
      async resolveTag(repository, tag, options) {
        return registry.resolveManifest(repository, await resolve(repository, tag, options), options);
      },
      tags: (repository, options = {}) => atMost(tags(repository, options), options.limit),
    },
    { missing: () => new RegistryError('UNSUPPORTED', 'a registry as of an earlier time is read-only') },
  );
}

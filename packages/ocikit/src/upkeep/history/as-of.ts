import { collect, limit as atMost, partialRegistry, RegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, ListOptions, Registry } from '../../model/index.ts';

import { remembered } from '../shared/index.ts';

import { movedSince } from './moved-tags.ts';
import { tagAt } from './tag-at.ts';

/**
 * The registry with its tags where they were at a time, to read only. All else is as it is now: a tag whose content is gone by now
 * is listed, and MANIFEST_UNKNOWN to who gets it. What is not known is as {@link tagAt} says.
 *
 * Listing tags takes memory for the names of all tags of the repository.
 *
 * @throws RegistryError UNSUPPORTED if the registry has no history
 * @example const image = await asOf(registry, new Date('2026-03-01')).getTag('team/app', 'latest');
 */
export function asOf(registry: Registry, time: Date): Registry {
  const history = remembered(registry);

  const resolve = async (repository: string, tag: string, options: CallOptions | undefined): Promise<Digest> => {
    const digest = await tagAt(registry, repository, tag, time, options);
    if (digest !== undefined) return digest;
    throw new RegistryError('MANIFEST_UNKNOWN', `${repository} had no tag ${tag} at ${time.toISOString()}`, {
      detail: { tag },
    });
  };

  async function* tags(repository: string, options: ListOptions): AsyncGenerator<string, void, undefined> {
    const { startAfter, signal, context } = options;
    // First where they are now: who moves one meanwhile is seen below.
    const now = await collect(registry.tags(repository, { startAfter, signal, context }));
    const before = await movedSince(history, repository, time, { signal, context });
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
    { missing: () => new RegistryError('UNSUPPORTED', 'the past is read-only') },
  );
}

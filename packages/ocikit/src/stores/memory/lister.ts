import { assertRepository, limit as atMost, parseDigest, untilAborted } from '../../model/index.ts';
import type { Descriptor, Digest, Lister, ReferrersOptions } from '../../model/index.ts';
import { namesAfter } from '../repository/index.ts';
import type { RepositoryIndex, SortedNames } from '../repository/index.ts';

import type { MemoryState } from './state.ts';

export function memoryLister(state: MemoryState): Lister {
  return {
    repositories: (options = {}) => namesAfter(() => state.names, options),
    tags(repository, options = {}) {
      let index: RepositoryIndex | undefined;
      const names = (): SortedNames => {
        if (index === undefined) {
          assertRepository(repository);
          ({ index } = state.repository(repository));
        }
        return index.tagNames;
      };
      return namesAfter(names, options);
    },
    async *referrers(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      yield* atMost(untilAborted(referrersOf(state, repository, digest, options), options.signal), options.limit);
    },
  };
}

async function* referrersOf(
  state: MemoryState,
  repository: string,
  subject: Digest,
  { startAfter, artifactType }: ReferrersOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  const index = state.repositories.get(repository)?.index;
  if (index === undefined) return;
  for await (const digest of namesAfter(() => index.referrerDigests(subject), { startAfter })) {
    const descriptor = index.referrer(subject, digest);
    if (descriptor !== undefined && (artifactType === undefined || descriptor.artifactType === artifactType)) {
      yield { ...descriptor };
    }
  }
}

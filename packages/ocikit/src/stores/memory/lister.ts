// Listing in the memory registry.
import { assertRepository, limit as atMost, parseDigest, untilAborted } from '../../model/index.ts';
import type { Lister } from '../../model/index.ts';
import { namesAfter, referrersIn } from '../repository/index.ts';
import type { RepositoryIndex, SortedNames } from '../repository/index.ts';

import type { MemoryState } from './state.ts';

/** The listing methods. */
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
      const index = state.repositories.get(repository)?.index;
      if (index === undefined) return;
      yield* atMost(untilAborted(referrersIn(index, digest, options), options.signal), options.limit);
    },
  };
}

// Merges the lists of all members.
import { assertRepository, parseDigest } from '../../../model/index.ts';
import type { Lister, ListOptions } from '../../../model/index.ts';

import { mergedList } from '../../shared/index.ts';

import type { Member } from '../members/index.ts';

/**
 * The members' lists merged into one. It fails if a member's list fails: a short list would be taken for the complete
 * one.
 */
export function unifiedLister(members: readonly Member[]): Lister {
  const registries = members.map(({ registry }) => registry);
  return {
    repositories: (options = {}) =>
      mergedList<ListOptions>(
        registries.map((registry) => (each) => registry.repositories(each)),
        options,
      ),
    async *tags(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      yield* mergedList<ListOptions>(
        registries.map((registry) => (each) => registry.tags(repository, each)),
        options,
      );
    },
    async *referrers(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      yield* mergedList(
        registries.map((registry) => (each) => registry.referrers(repository, digest, each)),
        options,
        { key: (referrer) => referrer.digest },
      );
    },
  };
}

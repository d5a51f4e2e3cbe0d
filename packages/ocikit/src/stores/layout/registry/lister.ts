// The listing methods of a layout registry.
import { assertRepository, limit as atMost, parseDigest, untilAborted } from '../../../model/index.ts';
import type { Descriptor, Digest, Lister, ReferrersOptions } from '../../../model/index.ts';

import { namesAfter, nameUnknown } from '../../repository/index.ts';
import type { SortedNames } from '../../repository/index.ts';

import type { Layout } from '../index/index.ts';

import type { LayoutState } from './state.ts';

/** The listing methods of a layout registry. */
export function layoutLister(state: LayoutState): Lister {
  const { store } = state;
  return {
    repositories: (options = {}) => namesAfter(() => store.names(), options),
    tags(repository, options = {}) {
      let layout: Layout | undefined;
      const names = async (): Promise<SortedNames | undefined> => {
        if (layout === undefined) {
          assertRepository(repository);
          layout = await store.layoutOf(repository);
          if (!(await state.exists(layout, repository))) throw nameUnknown(repository);
        }
        return layout.repositories.get(repository)?.index.tagNames;
      };
      return namesAfter(names, options);
    },
    async *referrers(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      yield* atMost(untilAborted(referrersOf(repository, digest, options), options.signal), options.limit);
    },
  };

  async function* referrersOf(
    repository: string,
    subject: Digest,
    { startAfter, artifactType }: ReferrersOptions,
  ): AsyncGenerator<Descriptor, void, undefined> {
    const layout = await store.layoutOf(repository);
    await layout.explore(repository);
    const index = layout.repositories.get(repository)?.index;
    if (index === undefined) return;
    for await (const digest of namesAfter(() => index.referrerDigests(subject), { startAfter })) {
      const descriptor = index.referrer(subject, digest);
      if (descriptor !== undefined && (artifactType === undefined || descriptor.artifactType === artifactType)) {
        yield { ...descriptor };
      }
    }
  }
}

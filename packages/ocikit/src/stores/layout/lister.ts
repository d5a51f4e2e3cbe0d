import { assertRepository, limit as atMost, parseDigest } from '../../model/index.ts';
import type { Descriptor, Digest, Lister, ReferrersOptions } from '../../model/index.ts';
import { nameUnknown, namesAfter, untilAborted } from '../repository/index.ts';
import type { SortedNames } from '../repository/index.ts';

import type { Layout } from './layout.ts';
import type { LayoutState } from './state.ts';

export function layoutLister(state: LayoutState): Lister {
  const { store } = state;
  return {
    async *repositories({ startAfter, limit, signal } = {}) {
      signal?.throwIfAborted();
      const names = await store.names();
      yield* atMost(untilAborted(existing(namesAfter(() => names, { startAfter })), signal), limit);
    },
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

  /** A directory may be what is left of a repository. */
  async function* existing(names: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
    for await (const name of names) {
      if (await state.exists(await store.layoutOf(name), name)) yield name;
    }
  }

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

import { assertRepository, limit as atMost, parseDigest } from '../../model/index.ts';
import type { Descriptor, Digest, Lister, ReferrersOptions } from '../../model/index.ts';
import { namesAfter, untilAborted } from '../repository/index.ts';

import type { MemoryState } from './state.ts';

export function memoryLister(state: MemoryState): Lister {
  return {
    async *repositories({ startAfter, limit, signal } = {}) {
      yield* untilAborted(
        namesAfter(() => state.names, startAfter, limit),
        signal,
      );
    },
    async *tags(repository, { startAfter, limit, signal } = {}) {
      signal?.throwIfAborted();
      assertRepository(repository);
      const { index } = state.repository(repository);
      yield* untilAborted(
        namesAfter(() => index.tagNames, startAfter, limit),
        signal,
      );
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
  for await (const digest of namesAfter(() => index.referrerDigests(subject), startAfter)) {
    const descriptor = index.referrer(subject, digest);
    if (descriptor !== undefined && (artifactType === undefined || descriptor.artifactType === artifactType)) {
      yield { ...descriptor };
    }
  }
}

// The referrers of a manifest, read from the index of its repository.
import type { Descriptor, Digest, ReferrersOptions } from '../../model/index.ts';

import type { RepositoryIndex } from './repository-index.ts';
import { namesAfter } from './sorted-names.ts';

/** The referrers of a subject, in byte order of their digests. `limit` and `signal` are left to the caller. */
export async function* referrersIn(
  index: RepositoryIndex,
  subject: Digest,
  { startAfter, artifactType }: Pick<ReferrersOptions, 'startAfter' | 'artifactType'>,
): AsyncGenerator<Descriptor, void, undefined> {
  for await (const digest of namesAfter(() => index.referrerDigests(subject), { startAfter })) {
    const descriptor = index.referrer(subject, digest);
    if (descriptor !== undefined && (artifactType === undefined || descriptor.artifactType === artifactType)) {
      yield { ...descriptor };
    }
  }
}

// The part of referrers that is loaded with the client; the code behind it is loaded for the first call that needs it.
import type { CallOptions, Lister, Reader } from '../../../model/index.ts';
import { loadPart } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

import type { ReferrersListings } from './known-listings.ts';
import type { ReferrersTags } from './tag-changes.ts';

/** Lists the referrers of a manifest. */
export function clientReferrers(
  transport: Transport,
  reader: Pick<Reader, 'getManifest' | 'getTag'>,
): Lister['referrers'] {
  return async function* referrers(repository, digest, options = {}) {
    const { listReferrers } = await loadPart(import('./listing.ts'), options.signal);
    yield* listReferrers(transport, reader, repository, digest, options);
  };
}

/**
 * Loads the code that keeps lists of referrers under tags.
 *
 * @throws RegistryError UNAVAILABLE if it cannot be loaded
 */
export async function loadReferrersTags(
  transport: Transport,
  reader: Pick<Reader, 'getManifest' | 'getTag'>,
  listings: ReferrersListings,
  { signal }: CallOptions,
): Promise<ReferrersTags> {
  const { referrersTagsOf } = await loadPart(import('./tag-changes.ts'), signal);
  return referrersTagsOf(transport, reader, listings);
}

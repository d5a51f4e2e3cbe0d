// Deleting blobs, manifests and tags.
import { isRegistryError, HttpError } from '../../model/index.ts';
import type { CallOptions, Deleter, ErrorCode, Reader } from '../../model/index.ts';
import { formatEntityTag, repositoryScope } from '../wire/index.ts';

import { loadTagConditions } from './manifests/index.ts';
import { loadReferrersTags } from './referrers/index.ts';
import type { ReferrersListings } from './referrers/index.ts';
import { blobAddress, manifestAddress, renamed, tagAddress } from './shared/index.ts';
import type { ClientOptions } from './shared/index.ts';
import type { Transport } from './transport/index.ts';

/** The specification wants 202; some registries answer with another success. */
const deleted = [200, 202, 204];

/** Statuses of registries that delete no tags, whatever code they give. Distribution specification, "Deleting tags". */
const refusesTags: ReadonlySet<number> = new Set([400, 405]);

/** The `Deleter` of a registry. Distribution specification, "Content Management". */
export function clientDeleter(
  transport: Transport,
  reader: Reader,
  listings: ReferrersListings,
  { tagConditions }: Pick<ClientOptions, 'tagConditions'> = {},
): Deleter {
  const { base } = transport;

  const remove = (
    url: URL,
    repository: string,
    missing: ErrorCode,
    call: CallOptions,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    let cut = false;
    return transport.attempt(call, async () => {
      try {
        const response = await transport.send({
          method: 'DELETE',
          url,
          scope: repositoryScope(repository, 'delete'),
          headers,
          expect: deleted,
          missing,
          call,
        });
        await response.discard();
      } catch (error) {
        // An earlier attempt, whose answer was lost, has deleted it.
        if (cut && isRegistryError(error, missing)) return;
        cut ||= !(error instanceof HttpError);
        throw error;
      }
    });
  };

  return {
    async deleteBlob(repository, digest, options = {}) {
      await remove(blobAddress(base, repository, digest), repository, 'BLOB_UNKNOWN', options);
    },
    async deleteManifest(repository, digest, options = {}) {
      const url = manifestAddress(base, repository, digest);
      const referrersTags = await loadReferrersTags(transport, reader, listings, options);
      const removeFromList = await referrersTags.removal(repository, digest, options);
      await remove(url, repository, 'MANIFEST_UNKNOWN', options);
      await removeFromList?.();
    },
    async deleteTag(repository, tag, options = {}) {
      const { ifTag } = options;
      const url = tagAddress(base, repository, tag);
      if (ifTag !== undefined) {
        const { assertAtomicDelete, assertTags } = await loadTagConditions(options.signal);
        if (tagConditions === 'atomic') await assertAtomicDelete(transport, repository, options);
        else await assertTags(reader, { repository, tags: [tag], ifTag }, options);
      }
      const headers = ifTag === undefined ? {} : { 'if-match': formatEntityTag(ifTag) };
      try {
        await remove(url, repository, 'MANIFEST_UNKNOWN', options, headers);
      } catch (error) {
        // With a code such as NAME_UNKNOWN, the registry deletes tags, but has not this one.
        if (!(error instanceof HttpError && refusesTags.has(error.status)) || /_UNKNOWN/.test(error.code)) throw error;
        throw renamed(error, 'UNSUPPORTED');
      }
    },
  };
}

// The lists of referrers under tags, changed: a client that pushes or deletes a manifest with a subject keeps them.
import { digestOf, isRegistryError, mediaTypes, referrerDescriptor, RegistryError } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Reader } from '../../../model/index.ts';
import { sleep } from '../../../transfer/index.ts';
import { referrersTag, repositoryScope } from '../../wire/index.ts';
import { putManifest } from '../manifests/index.ts';
import type { PushedBytes } from '../manifests/index.ts';
import { isClientError, referrersAddress } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

import type { ReferrersListings } from './known-listings.ts';
import { documentOf, readReferrersTag } from './tag-list.ts';

/** How often a list is read and written again when other clients write it at the same time. */
const maxConflicts = 20;

/** The lists of referrers under tags, where a registry has no API for them. */
export interface ReferrersTags {
  /**
   * Lists a manifest that was pushed, if the registry did not say that it has listed it.
   *
   * @returns its subject, if it has one
   */
  add(manifest: PushedBytes, call: CallOptions): Promise<Digest | undefined>;
  /**
   * Prepares the deletion of a manifest; call it before the manifest is deleted.
   *
   * @returns the function that removes it from its subject's list afterwards; undefined if there is nothing to do
   */
  removal(repository: string, digest: Digest, call: CallOptions): Promise<(() => Promise<void>) | undefined>;
}

/** Gives the new entries of a list; undefined: the list stays as it is. */
type Change = (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined;

/**
 * Keeps the lists of referrers under tags. Distribution specification, "Pushing Manifests with Subject", "Deleting
 * Manifests", "Referrers Tag Schema".
 */
export function referrersTagsOf(
  transport: Transport,
  reader: Pick<Reader, 'getTag' | 'getManifest'>,
  listings: ReferrersListings,
): ReferrersTags {
  /** Asked once per repository: a registry with the API answers 200, also about an unknown digest. */
  const hasApi = async (repository: string, digest: Digest, call: CallOptions): Promise<boolean> => {
    const found = listings.of(repository);
    if (found !== undefined) return found === 'api';
    const response = await unlessRefused(
      transport.send({
        method: 'GET',
        url: referrersAddress(transport.base, repository, digest),
        scope: repositoryScope(repository, 'pull'),
        expect: [200],
        call,
      }),
    );
    await response?.discard();
    listings.learn(repository, response === undefined ? 'tag' : 'api');
    return response !== undefined;
  };

  const change = (repository: string, subject: Digest, call: CallOptions, entries: Change): Promise<void> =>
    listings.inTurn(`${repository}@${subject}`, () => rewrite(repository, subject, call, entries));

  const rewrite = async (repository: string, subject: Digest, call: CallOptions, entries: Change): Promise<void> => {
    const tag = referrersTag(subject);
    let refused: Digest | null | undefined;
    for (let conflicts = 0; ; conflicts++) {
      const found = await readReferrersTag(reader, repository, subject, call);
      if (found === undefined) {
        throw new RegistryError(
          'MANIFEST_INVALID',
          `${repository}:${tag} ought to list the referrers of ${subject}, but it names something else, and stays as it is`,
        );
      }
      const { at, list } = found;
      const manifests = entries(list.manifests ?? []);
      if (manifests === undefined) return;
      const bytes = new TextEncoder().encode(JSON.stringify({ ...list, manifests }));
      const pushed = { repository, bytes, mediaType: mediaTypes.imageIndex, digest: digestOf(bytes) };
      try {
        // If a condition is refused though the tag has not moved, the registry reads conditions otherwise: send none.
        await putManifest(transport, pushed, [tag], at === refused ? undefined : at, call);
        return;
      } catch (error) {
        if (!isRegistryError(error, 'PRECONDITION_FAILED') || conflicts === maxConflicts) throw error;
        refused = at;
        await sleep(Math.random() * 50 * (conflicts + 1), call.signal);
      }
    }
  };

  return {
    async add({ repository, bytes, mediaType, digest }, call) {
      const document = documentOf(bytes, mediaType);
      const subject = document?.manifest.subject?.digest;
      if (document === undefined || subject === undefined) return undefined;
      listings.learn(repository, 'tag');
      const entry = referrerDescriptor(document, { digest, size: bytes.length });
      await change(repository, subject, call, (entries) =>
        entries.some((other) => other.digest === digest) ? undefined : [...entries, entry],
      );
      return subject;
    },
    async removal(repository, digest, call) {
      if (await hasApi(repository, digest, call)) return undefined;
      // If the manifest cannot be read, the registry decides whether it can be deleted.
      const manifest = await unlessRefused(reader.getManifest(repository, digest, call));
      const document = manifest && documentOf(manifest.bytes, manifest.descriptor.mediaType);
      const subject = document?.manifest.subject?.digest;
      if (subject === undefined) return undefined;
      return () =>
        change(repository, subject, call, (entries) => {
          const left = entries.filter((entry) => entry.digest !== digest);
          return left.length === entries.length ? undefined : left;
        });
    },
  };
}

/** Undefined if the registry refuses the request, or does not have what it asks for. */
async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isClientError(error)) return undefined;
    throw error;
  }
}

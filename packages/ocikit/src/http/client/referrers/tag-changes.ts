import { digestOf, isRegistryError, mediaTypes, referrerDescriptor, RegistryError } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Reader } from '../../../model/index.ts';
import { referrersTag, repositoryScope } from '../../wire/index.ts';
import { sleep } from '../../../transfer/index.ts';

import { isClientError, referrersAddress } from '../shared/index.ts';
import { putManifest } from '../manifests/index.ts';
import type { PushedBytes } from '../manifests/index.ts';
import type { ReferrersListings } from './known-listings.ts';
import { documentOf, readReferrersTag } from './tag-list.ts';
import type { Transport } from '../transport/index.ts';

/** How often a list is read and written anew when others write it at the same time. */
const maxConflicts = 20;

/** Lists of referrers under tags, where a registry has no API for them. Whoever pushes or deletes a manifest with a subject keeps them. */
export interface ReferrersTags {
  /**
   * Lists a manifest that was pushed to a registry which did not say that it has listed it.
   *
   * @returns its subject, if it has one
   */
  add(manifest: PushedBytes, call: CallOptions): Promise<Digest | undefined>;
  /**
   * To be called before a manifest is deleted.
   *
   * @returns what takes it off its subject's list afterwards; undefined if nothing needs to be done
   */
  removal(repository: string, digest: Digest, call: CallOptions): Promise<(() => Promise<void>) | undefined>;
}

/** @param change gives the new entries; undefined: nothing has to be written */
type Change = (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined;

/** Distribution specification, "Pushing Manifests with Subject", "Deleting Manifests", "Referrers Tag Schema". */
export function referrersTagsOf(
  transport: Transport,
  reader: Pick<Reader, 'getTag' | 'getManifest'>,
  listings: ReferrersListings,
): ReferrersTags {
  /** Asked once: a registry that has the API answers 200, also about what it does not know. */
  const hasApi = async (repository: string, digest: Digest, call: CallOptions): Promise<boolean> => {
    const found = listings.of(repository);
    if (found !== undefined) return found === 'api';
    const answer = await unlessRefused(
      transport.send({
        method: 'GET',
        url: referrersAddress(transport.base, repository, digest),
        scope: repositoryScope(repository, 'pull'),
        expect: [200],
        call,
      }),
    );
    await answer?.discard();
    listings.learn(repository, answer === undefined ? 'tag' : 'api');
    return answer !== undefined;
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
          `${repository}:${tag} ought to list the referrers of ${subject}, but it is something else: it is left alone`,
        );
      }
      const { at, list } = found;
      const manifests = entries(list.manifests ?? []);
      if (manifests === undefined) return;
      const bytes = new TextEncoder().encode(JSON.stringify({ ...list, manifests }));
      const pushed = { repository, bytes, mediaType: mediaTypes.imageIndex, digest: digestOf(bytes) };
      try {
        // A condition that does not hold though nothing has changed is one that the registry understands otherwise.
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
      // Whether it can be deleted is the registry's to say.
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

/** Whoever may not ask, or asks for what is not there, does without. */
async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isClientError(error)) return undefined;
    throw error;
  }
}

import {
  digestOf,
  isRegistryError,
  mediaTypes,
  parseManifest,
  referrerDescriptor,
  RegistryError,
} from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, ImageIndex, ManifestDocument, Reader } from '../../model/index.ts';
import { referrersTag } from '../wire/index.ts';

import { referrersAddress } from './addresses.ts';
import { repositoryScope } from './auth/index.ts';
import { isClientError } from './errors.ts';
import { putManifest } from './manifests.ts';
import type { PushedBytes } from './manifests.ts';
import { remember } from './remember.ts';
import { sleep } from './retry.ts';
import type { Transport } from './transport.ts';

/** How often a list is read and written anew when others write it at the same time. */
const maxConflicts = 20;

/** Repositories of which it is remembered how they list referrers. */
const maxKnown = 1000;

/** How a repository lists referrers: by the API, or under a tag. */
export type ReferrersListing = 'api' | 'tag';

/** Lists of referrers under tags, where a registry has no API for them. Whoever pushes or deletes a manifest with a subject keeps them. */
export interface ReferrersTags {
  /** Remembers how a repository lists referrers. */
  know(repository: string, listing: ReferrersListing): void;
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
export function referrersTagsOf(transport: Transport, reader: Pick<Reader, 'getTag' | 'getManifest'>): ReferrersTags {
  const known = new Map<string, ReferrersListing>();
  /** Changes of one list follow one another. */
  const queues = new Map<string, Promise<unknown>>();

  const know = (repository: string, listing: ReferrersListing): void => remember(known, repository, listing, maxKnown);

  /** Asked once: a registry that has the API answers 200, also about what it does not know. */
  const hasApi = async (repository: string, digest: Digest, call: CallOptions): Promise<boolean> => {
    const found = known.get(repository);
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
    know(repository, answer === undefined ? 'tag' : 'api');
    return answer !== undefined;
  };

  const change = async (repository: string, subject: Digest, call: CallOptions, entries: Change): Promise<void> => {
    const key = `${repository}@${subject}`;
    const before = queues.get(key) ?? Promise.resolve();
    const own = before.catch(() => undefined).then(() => rewrite(repository, subject, call, entries));
    queues.set(key, own);
    try {
      await own;
    } finally {
      if (queues.get(key) === own) queues.delete(key);
    }
  };

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
    know,
    async add({ repository, bytes, mediaType, digest }, call) {
      const document = documentOf(bytes, mediaType);
      const subject = document?.manifest.subject?.digest;
      if (document === undefined || subject === undefined) return undefined;
      know(repository, 'tag');
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

/** The list of a manifest's referrers where it is kept under a tag, and the digest at which the tag is; null if there is none. */
interface ReferrersTag {
  readonly at: Digest | null;
  readonly list: ImageIndex;
}

/** @returns undefined if the tag names something else */
export async function readReferrersTag(
  reader: Pick<Reader, 'getTag'>,
  repository: string,
  subject: Digest,
  call: CallOptions,
): Promise<ReferrersTag | undefined> {
  const none: ReferrersTag = { at: null, list: { schemaVersion: 2, mediaType: mediaTypes.imageIndex } };
  try {
    const { descriptor, bytes } = await reader.getTag(repository, referrersTag(subject), call);
    const { digest, mediaType } = descriptor;
    // GitLab takes the tag for the subject itself, as their names are the same but for the colon.
    if (digest === subject) return none;
    const document = mediaType === mediaTypes.imageIndex ? documentOf(bytes, mediaType) : undefined;
    return document?.kind === 'index' ? { at: digest, list: document.manifest } : undefined;
  } catch (error) {
    if (isMissing(error)) return none;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/** A registry may take what this does not know: undefined. It then has no subject here. */
export function documentOf(bytes: Uint8Array, mediaType: string): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch {
    return undefined;
  }
}

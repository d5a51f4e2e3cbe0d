import {
  isRegistryError,
  linksOf,
  mediaTypes,
  parseManifest,
  referrerDescriptor,
  RegistryError,
  digestOf,
} from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, ManifestDocument, Reader } from '../../model/index.ts';
import { referrersTag } from '../wire/index.ts';

import { referrersAddress } from './addresses.ts';
import { repositoryScope } from './auth/index.ts';
import { isClientError } from './errors.ts';
import { putManifest } from './manifests.ts';
import type { PushedBytes } from './manifests.ts';
import { sleep } from './retry.ts';
import type { Transport } from './transport.ts';

/** How often a list is read and written anew when others write it at the same time. */
const maxConflicts = 20;

/** Repositories of which it is remembered how they list referrers. */
const maxKnown = 1000;

/** How a repository lists referrers: by the API, or under a tag. */
export type ReferrersListing = 'api' | 'tag';

/**
 * Lists of referrers under tags, where a registry has no API for them. Whoever pushes or deletes a manifest with a subject keeps them.
 * Distribution specification, "Pushing Manifests with Subject", "Deleting Manifests", "Referrers Tag Schema".
 */
export class ReferrersTags {
  readonly #transport: Transport;
  readonly #reader: Pick<Reader, 'getTag' | 'getManifest'>;
  readonly #known = new Map<string, ReferrersListing>();
  /** Changes of one list follow one another. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(transport: Transport, reader: Pick<Reader, 'getTag' | 'getManifest'>) {
    this.#transport = transport;
    this.#reader = reader;
  }

  /** Remembers how a repository lists referrers. */
  know(repository: string, listing: ReferrersListing): void {
    this.#known.set(repository, listing);
    if (this.#known.size <= maxKnown) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  /**
   * Lists a manifest that was pushed to a registry which did not say that it has listed it.
   *
   * @returns its subject, if it has one
   */
  async add({ repository, bytes, mediaType, digest }: PushedBytes, call: CallOptions): Promise<Digest | undefined> {
    const document = documentOf(bytes, mediaType);
    const subject = document === undefined ? undefined : linksOf(document).subject?.digest;
    if (document === undefined || subject === undefined) return undefined;
    this.know(repository, 'tag');
    const entry = referrerDescriptor(document, { digest, size: bytes.length });
    await this.#change(repository, subject, call, (entries) =>
      entries.some((other) => other.digest === digest) ? undefined : [...entries, entry],
    );
    return subject;
  }

  /**
   * To be called before a manifest is deleted.
   *
   * @returns what takes it off its subject's list afterwards; undefined if nothing needs to be done
   */
  async removal(repository: string, digest: Digest, call: CallOptions): Promise<(() => Promise<void>) | undefined> {
    if ((this.#known.get(repository) ?? (await this.#find(repository, digest, call))) === 'api') return undefined;
    const subject = await this.#subjectOf(repository, digest, call);
    if (subject === undefined) return undefined;
    return () =>
      this.#change(repository, subject, call, (entries) => {
        const left = entries.filter((entry) => entry.digest !== digest);
        return left.length === entries.length ? undefined : left;
      });
  }

  /** Asked once: a registry that has the API answers 200, also about what it does not know. */
  async #find(repository: string, digest: Digest, call: CallOptions): Promise<ReferrersListing> {
    const answer = await this.#transport
      .send({
        method: 'GET',
        url: referrersAddress(this.#transport.base, repository, digest),
        scope: repositoryScope(repository, 'pull'),
        expect: [200],
        call,
      })
      .catch((error: unknown) => {
        // Whoever may not ask is told so when the manifest is read.
        if (isClientError(error)) return undefined;
        throw error;
      });
    await answer?.discard();
    const listing = answer === undefined ? 'tag' : 'api';
    this.know(repository, listing);
    return listing;
  }

  async #subjectOf(repository: string, digest: Digest, call: CallOptions): Promise<Digest | undefined> {
    try {
      const { bytes, descriptor } = await this.#reader.getManifest(repository, digest, call);
      const document = documentOf(bytes, descriptor.mediaType);
      return document === undefined ? undefined : linksOf(document).subject?.digest;
    } catch (error) {
      // Whether it can be deleted is the registry's to say.
      if (isClientError(error)) return undefined;
      throw error;
    }
  }

  /** @param change gives the new entries; undefined: nothing has to be written */
  async #change(
    repository: string,
    subject: Digest,
    call: CallOptions,
    change: (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined,
  ): Promise<void> {
    const key = `${repository}@${subject}`;
    const before = this.#queues.get(key) ?? Promise.resolve();
    const own = before.catch(() => undefined).then(() => this.#rewrite(repository, subject, call, change));
    this.#queues.set(key, own);
    try {
      await own;
    } finally {
      if (this.#queues.get(key) === own) this.#queues.delete(key);
    }
  }

  async #rewrite(
    repository: string,
    subject: Digest,
    call: CallOptions,
    change: (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined,
  ): Promise<void> {
    const tag = referrersTag(subject);
    let refused: Digest | null | undefined;
    for (let conflicts = 0; ; conflicts++) {
      const { at, list } = await this.#read(repository, tag, subject, call);
      const entries = change(list.manifests ?? []);
      if (entries === undefined) return;
      const bytes = new TextEncoder().encode(JSON.stringify({ ...list, manifests: entries }));
      const pushed = { repository, bytes, mediaType: mediaTypes.imageIndex, digest: digestOf(bytes) };
      try {
        // A condition that does not hold though nothing has changed is one that the registry understands otherwise.
        await putManifest(this.#transport, pushed, [tag], at === refused ? undefined : at, call);
        return;
      } catch (error) {
        if (!isRegistryError(error, 'PRECONDITION_FAILED') || conflicts === maxConflicts) throw error;
        refused = at;
        await sleep(Math.random() * 50 * (conflicts + 1), call.signal);
      }
    }
  }

  async #read(
    repository: string,
    tag: string,
    subject: Digest,
    call: CallOptions,
  ): Promise<{ at: Digest | null; list: Record<string, unknown> & { manifests?: readonly Descriptor[] } }> {
    const none = { at: null, list: { schemaVersion: 2, mediaType: mediaTypes.imageIndex } };
    try {
      const { descriptor, bytes } = await this.#reader.getTag(repository, tag, call);
      // GitLab takes the tag for the subject itself, as their names are the same but for the colon.
      if (descriptor.digest === subject) return none;
      const document = documentOf(bytes, descriptor.mediaType);
      if (document?.mediaType !== mediaTypes.imageIndex || document.kind !== 'index') {
        throw new RegistryError(
          'MANIFEST_INVALID',
          `${repository}:${tag} ought to list the referrers of ${subject}, but it is something else: it is left alone`,
        );
      }
      return { at: descriptor.digest, list: { ...document.manifest } };
    } catch (error) {
      if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND')) return none;
      throw error;
    }
  }
}

function documentOf(bytes: Uint8Array, mediaType: string): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch {
    // A registry may take what this does not know. It then has no subject here.
    return undefined;
  }
}

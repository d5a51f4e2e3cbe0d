// The reachable content of one repository, found by following manifests from a set of roots.
import { isRegistryError } from '../../model/index.ts';
import type { Descriptor, Digest, Maintenance, Registry } from '../../model/index.ts';

import { Pace, subjectOfTag } from '../shared/index.ts';
import type { TagSubject } from '../shared/index.ts';

import { readManifestLinks } from './manifest-links.ts';
import type { ManifestLinks } from './manifest-links.ts';

/** A manifest that the repository had when its manifests were listed. */
export interface ListedManifest {
  /** Its media type, digest and size. */
  descriptor: Descriptor;
  /** When it was last used, in milliseconds of the epoch. */
  usedAt: number;
}

/** The tags with which clients attach a manifest, such as a signature, to others. */
export interface Attachment {
  /** All tags of the manifest. */
  tags: string[];
  /** The manifests that these tags name, whether the repository has them or not. */
  subjects: Digest[];
}

/** A listed manifest, for the decision whether it is reachable by itself. */
export interface RootCandidate {
  /** Its tags, without those that attach it to other manifests. */
  tags: readonly string[];
  /** It has tags, and all of them attach it to other manifests. */
  isAttached: boolean;
  /** An index entry of another tool names it. */
  isPinned: boolean;
  /** When it was last used. */
  usedAt: Date;
}

/** A reachable manifest that cannot be read. It may name any content of the repository. */
export interface Unreadable {
  /** The manifest's digest. */
  digest: Digest;
  /** Why it cannot be read. */
  state: 'missing' | 'corrupt';
}

/** True if a manifest is reachable by itself: it has a tag, or an entry of another tool. */
export function isNamed({ tags, isPinned }: Pick<RootCandidate, 'tags' | 'isPinned'>): boolean {
  return tags.length > 0 || isPinned;
}

/**
 * The reachable content of one repository. A reachable manifest makes reachable: the content that it names, its
 * subject, its referrers, and the manifests that a tag such as `sha256-<hex>.sig` attaches to it. Such a tag alone
 * makes nothing reachable. Memory holds the repository's digests, but no manifest's bytes.
 */
export class RepositoryGraph {
  /** The repository's name. */
  readonly repository: string;
  /** All manifests of the repository. */
  readonly manifests: Map<Digest, ListedManifest> = new Map();
  /** Reachable manifests and blobs, whether the repository has them or not. */
  readonly reached: Set<Digest> = new Set();
  /** Reachable manifests that cannot be read. */
  readonly unreadable: Unreadable[] = [];
  /** The manifests whose tags all attach them to others. */
  readonly attachments: Map<Digest, Attachment> = new Map();
  /** For each manifest that has attachments: their digests. */
  readonly #attached = new Map<Digest, Digest[]>();
  readonly #registry: Registry;
  readonly #maintenance: Maintenance;
  readonly #signal: AbortSignal | undefined;
  readonly #pace: Pace;

  /** @param pace the pace of the work that the graph is a part of */
  constructor(
    registry: Registry,
    maintenance: Maintenance,
    repository: string,
    signal: AbortSignal | undefined,
    pace: Pace = new Pace(),
  ) {
    this.#registry = registry;
    this.#maintenance = maintenance;
    this.repository = repository;
    this.#signal = signal;
    this.#pace = pace;
  }

  /**
   * Lists the repository's manifests, and marks all content that is reachable from the roots.
   *
   * @param isRoot tells whether a manifest is reachable by itself
   */
  async mark(isRoot: (manifest: RootCandidate) => boolean): Promise<void> {
    const { repository } = this;
    const roots: Digest[] = [];
    const named = new Map<Digest, TagSubject[]>();
    let hasOrdinaryTags = false;
    const listed = this.#maintenance.manifests(repository, { signal: this.#signal });
    for await (const { descriptor, tags, isPinned = false, usedAt } of listed) {
      const { digest } = descriptor;
      this.manifests.set(digest, { descriptor, usedAt: usedAt.getTime() });
      const subjects = tags.flatMap((tag) => subjectOfTag(tag) ?? []);
      const ordinary = subjects.length === 0 ? tags : tags.filter((tag) => subjectOfTag(tag) === undefined);
      hasOrdinaryTags ||= ordinary.length > 0;
      const isAttached = subjects.length > 0 && ordinary.length === 0;
      if (isAttached) {
        named.set(digest, subjects);
        this.attachments.set(digest, { tags: [...tags], subjects: [] });
      }
      if (isRoot({ tags: ordinary, isAttached, isPinned, usedAt })) roots.push(digest);
    }
    for (const [digest, subjects] of named) this.#attach(digest, subjects);
    await this.reach(roots);
    if (!hasOrdinaryTags) await this.#reachSignaturesOfOthers();
  }

  #attach(digest: Digest, subjects: readonly TagSubject[]): void {
    for (const { digest: whole, beginning } of subjects) {
      const found =
        whole === undefined ? [...this.manifests.keys()].filter((one) => one.startsWith(beginning)) : [whole];
      for (const subject of found) {
        this.attachments.get(digest)?.subjects.push(subject);
        const attached = this.#attached.get(subject);
        if (attached === undefined) this.#attached.set(subject, [digest]);
        else attached.push(digest);
      }
    }
  }

  /**
   * A repository may hold nothing but signatures of other repositories' images (cosign's `COSIGN_REPOSITORY`). Such
   * signatures are reachable as long as a repository of the registry has the image.
   */
  async #reachSignaturesOfOthers(): Promise<void> {
    const wanted = new Map<Digest, Digest[]>();
    for (const [digest, { subjects }] of this.attachments) {
      if (this.reached.has(digest) || subjects.some((subject) => this.manifests.has(subject))) continue;
      for (const subject of subjects) wanted.set(subject, [...(wanted.get(subject) ?? []), digest]);
    }
    if (wanted.size === 0) return;
    const options = { signal: this.#signal };
    for await (const other of this.#registry.repositories(options)) {
      if (other === this.repository) continue;
      try {
        for await (const { descriptor } of this.#maintenance.manifests(other, options)) {
          await this.reach(wanted.get(descriptor.digest) ?? []);
          await this.giveWay();
        }
      } catch (error) {
        if (isRegistryError(error, 'NAME_UNKNOWN')) continue;
        this.#signal?.throwIfAborted();
        // Any image may be in a repository that cannot be read.
        return this.reach([...wanted.values()].flat());
      }
    }
  }

  /** Gives the manifests that are not reachable. */
  *unreached(): Generator<ListedManifest> {
    for (const manifest of this.manifests.values()) if (!this.reached.has(manifest.descriptor.digest)) yield manifest;
  }

  /** Marks this content as reachable, with all that it makes reachable. */
  async reach(digests: Iterable<Digest>): Promise<void> {
    const waiting = [...digests];
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
      if (this.reached.has(digest)) continue;
      this.reached.add(digest);
      waiting.push(...(this.#attached.get(digest) ?? []));
      const manifest = this.manifests.get(digest);
      if (manifest === undefined) continue;
      const links = await this.linksOf(manifest.descriptor);
      if (typeof links === 'string') {
        this.unreadable.push({ digest, state: links });
      } else {
        for (const content of links.blobs) this.#reachNamed(content.digest, waiting);
        for (const content of links.manifests) this.#reachNamed(content.digest, waiting);
        if (links.subject !== undefined) this.#reachNamed(links.subject, waiting);
      }
      await this.#addReferrers(digest, waiting);
      await this.giveWay();
    }
  }

  /** Blobs without attachments lead nowhere, so they need not be queued. */
  #reachNamed(digest: Digest, waiting: Digest[]): void {
    if (this.manifests.has(digest) || this.#attached.has(digest)) waiting.push(digest);
    else this.reached.add(digest);
  }

  async #addReferrers(subject: Digest, waiting: Digest[]): Promise<void> {
    try {
      const options = { signal: this.#signal };
      for await (const { digest } of this.#registry.referrers(this.repository, subject, options)) waiting.push(digest);
    } catch (error) {
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }

  /** Reads a manifest's links from the store. */
  linksOf(descriptor: Descriptor): Promise<ManifestLinks | 'missing' | 'corrupt'> {
    return readManifestLinks(this.#maintenance, this.repository, descriptor);
  }

  /** Lets other tasks run, if this one has run for long. Rejects if the caller has aborted. */
  async giveWay(): Promise<void> {
    this.#signal?.throwIfAborted();
    await this.#pace.giveWay();
  }
}

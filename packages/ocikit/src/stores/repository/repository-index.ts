// The index of a repository: its blobs, manifests, tags and referrers, in memory.
import { manifestMediaTypes } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';

import { SortedNames } from './sorted-names.ts';
import { TagNames } from './tag-names.ts';

/** A blob in an index. */
export interface BlobEntry {
  /** Bytes. */
  size: number;
  /** When it was stored, in milliseconds since 1970. */
  createdAt: number;
  /** When it was last used, in milliseconds since 1970. */
  usedAt: number;
}

/** The facts of a manifest that an index needs. */
export interface NewManifest {
  /** The manifest's media type, digest and size. */
  readonly descriptor: Descriptor;
  /** The digests of all content that it names, its subject included. */
  readonly links: readonly Digest[];
  /** The digest of its subject, if it has one. */
  readonly subject: Digest | undefined;
  /** The descriptor that lists it as a referrer of its subject. */
  readonly referrer: Descriptor | undefined;
}

/** A manifest in an index. A class, so that all entries share one shape: there may be very many. */
export class ManifestEntry implements NewManifest {
  readonly descriptor: Descriptor;
  readonly links: readonly Digest[];
  readonly subject: Digest | undefined;
  readonly referrer: Descriptor | undefined;
  readonly tags: TagNames;
  readonly createdAt: number;
  usedAt: number;

  constructor(manifest: NewManifest, tags: TagNames, createdAt: number, usedAt: number) {
    const { mediaType, digest, size } = manifest.descriptor;
    this.descriptor = { mediaType: canonicalTypes.get(mediaType) ?? mediaType, digest, size };
    this.links = manifest.links;
    this.subject = manifest.subject;
    this.referrer = manifest.referrer;
    this.tags = tags;
    this.createdAt = createdAt;
    this.usedAt = usedAt;
  }
}

/** Media types, so that all manifests share one string for each. */
const canonicalTypes = new Map(manifestMediaTypes.map((mediaType) => [mediaType, mediaType]));

/**
 * The blobs, manifests, tags and referrers of one repository, without their bytes. No look-up searches through other
 * entries.
 */
export class RepositoryIndex {
  /** The blobs, by digest. */
  readonly blobs: Map<Digest, BlobEntry> = new Map();
  /** The manifests, by digest. */
  readonly manifests: Map<Digest, ManifestEntry> = new Map();
  /** The names of the tags. */
  readonly tagNames: SortedNames = new SortedNames();
  readonly #tags = new Map<string, Digest>();
  readonly #referrers = new Map<Digest, { digests: SortedNames; descriptors: Map<string, Descriptor> }>();
  /** The manifests that name content, by the content's digest. */
  readonly #parents = new Map<Digest, Set<Digest>>();

  /** True if there is neither a blob nor a manifest. */
  get isEmpty(): boolean {
    return this.blobs.size === 0 && this.manifests.size === 0;
  }

  /** The digest that a tag points to; undefined if there is no such tag. */
  digestOfTag(tag: string): Digest | undefined {
    return this.#tags.get(tag);
  }

  /** Adds a manifest, or replaces the one with the same digest and keeps its tags. Counts as a use of its links. */
  putManifest(manifest: NewManifest, now: number): ManifestEntry {
    const { digest } = manifest.descriptor;
    const before = this.manifests.get(digest);
    if (before !== undefined) this.#unlink(before);
    const entry = new ManifestEntry(manifest, before?.tags ?? new TagNames(), before?.createdAt ?? now, now);
    this.manifests.set(digest, entry);
    this.#link(entry);
    for (const link of manifest.links) this.touch(link, now);
    return entry;
  }

  /** Removes a manifest and its tags. */
  removeManifest(digest: Digest): void {
    const entry = this.manifests.get(digest);
    if (entry === undefined) return;
    for (const tag of Array.from(entry.tags)) this.removeTag(tag);
    this.#unlink(entry);
    this.manifests.delete(digest);
  }

  /** Makes a tag point to a manifest. */
  setTag(tag: string, digest: Digest): void {
    const before = this.#tags.get(tag);
    if (before === digest) return;
    if (before === undefined) this.tagNames.add(tag);
    else this.manifests.get(before)?.tags.delete(tag);
    this.#tags.set(tag, digest);
    this.manifests.get(digest)?.tags.add(tag);
  }

  /** Removes a tag. */
  removeTag(tag: string): void {
    const digest = this.#tags.get(tag);
    if (digest === undefined) return;
    this.#tags.delete(tag);
    this.tagNames.delete(tag);
    this.manifests.get(digest)?.tags.delete(tag);
  }

  /** Records a use of content. */
  touch(digest: Digest, now: number): void {
    const blob = this.blobs.get(digest);
    if (blob !== undefined) blob.usedAt = now;
    const manifest = this.manifests.get(digest);
    if (manifest !== undefined) manifest.usedAt = now;
  }

  /** The digests of a subject's referrers; undefined if there are none. */
  referrerDigests(subject: Digest): SortedNames | undefined {
    return this.#referrers.get(subject)?.digests;
  }

  /** The descriptor that lists a manifest as a referrer of the subject. */
  referrer(subject: Digest, digest: string): Descriptor | undefined {
    return this.#referrers.get(subject)?.descriptors.get(digest);
  }

  /** A tag whose manifest is this content, or names it directly or through other manifests. */
  tagThatReaches(digest: Digest): string | undefined {
    const seen = new Set<Digest>();
    const waiting = [digest];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      for (const tag of this.manifests.get(at)?.tags ?? []) return tag;
      for (const parent of this.#parents.get(at) ?? []) waiting.push(parent);
    }
    return undefined;
  }

  #link(entry: ManifestEntry): void {
    const { digest } = entry.descriptor;
    for (const link of entry.links) {
      const parents = this.#parents.get(link);
      if (parents === undefined) this.#parents.set(link, new Set([digest]));
      else parents.add(digest);
    }
    if (entry.subject === undefined || entry.referrer === undefined) return;
    let referrers = this.#referrers.get(entry.subject);
    if (referrers === undefined) {
      referrers = { digests: new SortedNames(), descriptors: new Map() };
      this.#referrers.set(entry.subject, referrers);
    }
    referrers.digests.add(digest);
    referrers.descriptors.set(digest, entry.referrer);
  }

  #unlink(entry: ManifestEntry): void {
    const { digest } = entry.descriptor;
    for (const link of entry.links) {
      const parents = this.#parents.get(link);
      parents?.delete(digest);
      if (parents?.size === 0) this.#parents.delete(link);
    }
    if (entry.subject === undefined) return;
    const referrers = this.#referrers.get(entry.subject);
    referrers?.digests.delete(digest);
    referrers?.descriptors.delete(digest);
    if (referrers?.descriptors.size === 0) this.#referrers.delete(entry.subject);
  }
}

import { manifestMediaTypes } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';

import { SortedNames } from './sorted-names.ts';
import { TagNames } from './tag-names.ts';

export interface BlobEntry {
  size: number;
  createdAt: number;
  usedAt: number;
}

/** What is to be known of a manifest. */
export interface NewManifest {
  readonly descriptor: Descriptor;
  /** Of everything that it names, its subject included. */
  readonly links: readonly Digest[];
  readonly subject: Digest | undefined;
  /** How it is listed as its subject's referrer. */
  readonly referrer: Descriptor | undefined;
}

/** A class, as there may be very many: objects that are put together by spreading have a shape each. */
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

/** One string for each type, instead of one for each manifest. */
const canonicalTypes = new Map(manifestMediaTypes.map((mediaType) => [mediaType, mediaType]));

/**
 * What one repository holds: which blobs, manifests and tags, and who refers to whom. Everything is found without
 * looking through the rest. It knows no bytes.
 */
export class RepositoryIndex {
  readonly blobs: Map<Digest, BlobEntry> = new Map();
  readonly manifests: Map<Digest, ManifestEntry> = new Map();
  readonly tagNames: SortedNames = new SortedNames();
  readonly #tags = new Map<string, Digest>();
  readonly #referrers = new Map<Digest, { digests: SortedNames; descriptors: Map<string, Descriptor> }>();
  /** Content → the manifests that name it. */
  readonly #parents = new Map<Digest, Set<Digest>>();

  get isEmpty(): boolean {
    return this.blobs.size === 0 && this.manifests.size === 0;
  }

  digestOfTag(tag: string): Digest | undefined {
    return this.#tags.get(tag);
  }

  /** Puts a manifest in, or in the place of the one of the same digest, whose tags it keeps. */
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

  removeManifest(digest: Digest): void {
    const entry = this.manifests.get(digest);
    if (entry === undefined) return;
    for (const tag of Array.from(entry.tags)) this.removeTag(tag);
    this.#unlink(entry);
    this.manifests.delete(digest);
  }

  setTag(tag: string, digest: Digest): void {
    const before = this.#tags.get(tag);
    if (before === digest) return;
    if (before === undefined) this.tagNames.add(tag);
    else this.manifests.get(before)?.tags.delete(tag);
    this.#tags.set(tag, digest);
    this.manifests.get(digest)?.tags.add(tag);
  }

  removeTag(tag: string): void {
    const digest = this.#tags.get(tag);
    if (digest === undefined) return;
    this.#tags.delete(tag);
    this.tagNames.delete(tag);
    this.manifests.get(digest)?.tags.delete(tag);
  }

  /** Marks content as used. */
  touch(digest: Digest, now: number): void {
    const blob = this.blobs.get(digest);
    if (blob !== undefined) blob.usedAt = now;
    const manifest = this.manifests.get(digest);
    if (manifest !== undefined) manifest.usedAt = now;
  }

  /** The digests of a manifest's referrers; undefined if there are none. */
  referrerDigests(subject: Digest): SortedNames | undefined {
    return this.#referrers.get(subject)?.digests;
  }

  referrer(subject: Digest, digest: string): Descriptor | undefined {
    return this.#referrers.get(subject)?.descriptors.get(digest);
  }

  /** A tag from which the content is reached, by way of whatever names it. */
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

// The index entries of one repository that other tools wrote. They are written back as they are.
import type { Digest } from '../../../model/index.ts';

import type { Unowned } from './unowned.ts';

/** An entry that another tool wrote. */
export interface KeptEntry {
  /** The digest of its manifest. */
  readonly digest: Digest;
  /** The media type that it gives the manifest. */
  readonly mediaType: string;
  /** The entry as its writer formatted it. */
  readonly text: string;
  /** The digests that it lists as not owned. */
  readonly unowned?: Unowned | undefined;
  /** How it names its tag; an entry with a lower rank counts more. Default: 0. See {@link EntryRank}. */
  readonly rank?: EntryRank | undefined;
}

/** 0: its name is the tag, as this library writes it. 1: the tag is in its name. 2: the tag is in containerd's name. */
export type EntryRank = 0 | 1 | 2;

/**
 * The entries that other tools wrote, and that are not just what this library would write.
 *
 * An index may have several entries of one tag. The last one of the lowest rank counts; the others are shadowed.
 * Shadowed and untagged entries keep their manifests, as a tag does.
 */
export class KeptEntries {
  readonly #tagged = new Map<string, KeptEntry>();
  readonly #shadowed = new Map<string, KeptEntry[]>();
  readonly #untagged = new Map<Digest, KeptEntry[]>();
  /** How many shadowed and untagged entries name a manifest. */
  readonly #counts = new Map<Digest, number>();

  /** True if a shadowed or untagged entry names the manifest. */
  names(digest: Digest): boolean {
    return this.#counts.has(digest);
  }

  /** The entry of a tag; undefined if this library writes it. */
  ofTag(tag: string): KeptEntry | undefined {
    return this.#tagged.get(tag);
  }

  /** Sets the entry of a tag. */
  setTag(tag: string, entry: KeptEntry | undefined): void {
    if (entry === undefined) this.#tagged.delete(tag);
    else this.#tagged.set(tag, entry);
  }

  /** Adds an entry of a tag that another entry has. The last entry of the lowest rank becomes the last in the list. */
  shadow(tag: string, entry: KeptEntry): void {
    const list = this.#shadowed.get(tag) ?? [];
    const before = list.findLastIndex(({ rank = 0 }) => rank >= (entry.rank ?? 0));
    list.splice(before + 1, 0, entry);
    this.#shadowed.set(tag, list);
    this.#count(entry.digest, 1);
  }

  /** Adds an entry without a tag. */
  addUntagged(entry: KeptEntry): void {
    addTo(this.#untagged, entry.digest, entry);
    this.#count(entry.digest, 1);
  }

  /**
   * Removes all entries of a tag.
   *
   * @returns the manifests of those that were shadowed
   */
  removeTag(tag: string): Digest[] {
    this.#tagged.delete(tag);
    const shadowed = this.#shadowed.get(tag) ?? [];
    this.#shadowed.delete(tag);
    for (const { digest } of shadowed) this.#count(digest, -1);
    return shadowed.map(({ digest }) => digest);
  }

  /** Gives a tag to its last shadowed entry, if that one has this digest. Otherwise this library writes its entry. */
  promote(tag: string, digest: Digest | undefined): void {
    const entries = this.#shadowed.get(tag) ?? [];
    const last = entries.at(-1);
    if (last === undefined || last.digest !== digest) {
      this.#tagged.delete(tag);
      return;
    }
    if (entries.length === 1) this.#shadowed.delete(tag);
    else this.#shadowed.set(tag, entries.slice(0, -1));
    this.#count(digest, -1);
    this.#tagged.set(tag, last);
  }

  /** The manifests of a tag's shadowed entries, in their order. */
  shadowedBy(tag: string): Digest[] {
    return (this.#shadowed.get(tag) ?? []).map((entry) => entry.digest);
  }

  /** Removes all shadowed and untagged entries of a manifest. */
  removeManifest(digest: Digest): void {
    this.#filter(digest, () => false);
  }

  /** Removes shadowed and untagged entries that give the manifest another media type. */
  keepType(digest: Digest, mediaType: string): void {
    this.#filter(digest, (entry) => entry.mediaType === mediaType);
  }

  /** The shadowed entries. */
  *shadowed(): Generator<KeptEntry> {
    for (const entries of this.#shadowed.values()) yield* entries;
  }

  /** The entries of a manifest that have no tag. */
  untagged(digest: Digest): readonly KeptEntry[] {
    return this.#untagged.get(digest) ?? [];
  }

  #filter(digest: Digest, isKept: (entry: KeptEntry) => boolean): void {
    if (!this.#counts.has(digest)) return;
    const filter = <K>(lists: Map<K, KeptEntry[]>, key: K, entries: KeptEntry[]): void => {
      const left = entries.filter((entry) => entry.digest !== digest || isKept(entry));
      this.#count(digest, left.length - entries.length);
      if (left.length === 0) lists.delete(key);
      else lists.set(key, left);
    };
    for (const [tag, entries] of this.#shadowed) filter(this.#shadowed, tag, entries);
    filter(this.#untagged, digest, this.#untagged.get(digest) ?? []);
  }

  #count(digest: Digest, change: number): void {
    const count = (this.#counts.get(digest) ?? 0) + change;
    if (count === 0) this.#counts.delete(digest);
    else this.#counts.set(digest, count);
  }
}

function addTo<K>(lists: Map<K, KeptEntry[]>, key: K, entry: KeptEntry): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [entry]);
  else list.push(entry);
}

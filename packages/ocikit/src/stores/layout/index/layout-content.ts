// The content of a layout in memory, by repository, as its index gives it and as it is written back.
import type { Digest } from '../../../model/index.ts';

import { SortedNames } from '../../repository/index.ts';

import type { EntryName, EntryNames } from './entry-names.ts';
import { formatEntry, textOf } from './index-entry.ts';
import type { IndexEntry, OwnEntry } from './index-entry.ts';
import type { ParsedIndex } from './index-file.ts';
import type { FieldText } from './json-elements.ts';
import type { EntryRank, KeptEntry } from './kept-entries.ts';
import { LayoutRepository } from './layout-repository.ts';
import { includesUnowned, joinUnowned } from './unowned.ts';
import type { Unowned } from './unowned.ts';

const tagsAtOnce = 512;

/** Facts about the entries of an index. */
export interface EntryKnowledge {
  /** True if the manifests were read already. */
  isParsed: boolean;
  /** True if this library wrote the entry of an untagged manifest. */
  isOwn: (repository: string, digest: Digest) => boolean;
}

/** The meaning of an entry, after it was added. */
export type AddedEntry = 'added' | 'shadows' | 'unassigned';

/** The content of a layout, by repository: read from the entries of its index, and turned into entries again. */
export class LayoutContent {
  /** The repositories that are not empty, by name. */
  readonly repositories: Map<string, LayoutRepository> = new Map();
  /** The other fields of the index, as they were read. */
  readonly head: readonly FieldText[] | undefined;
  readonly #names: EntryNames;
  #sorted: SortedNames | undefined;
  /** Texts of entries that belong to no repository here; written back unchanged. */
  readonly #unassigned: string[];

  constructor(names: EntryNames, file: ParsedIndex | undefined) {
    this.#names = names;
    this.head = file?.head;
    this.#unassigned = [...(file?.unreadable ?? [])];
  }

  /** The texts of entries that belong to no repository here. */
  get unassigned(): readonly string[] {
    return this.#unassigned;
  }

  /** The repository of this name, created if need be. */
  repository(name: string): LayoutRepository {
    let repository = this.repositories.get(name);
    if (repository === undefined) {
      repository = new LayoutRepository();
      this.repositories.set(name, repository);
      this.#sorted?.add(name);
    }
    return repository;
  }

  /** Forgets a repository that is empty. */
  forget(name: string): void {
    this.repositories.delete(name);
    this.#sorted?.delete(name);
  }

  /** The names of the repositories, in byte order. They are sorted when they are first asked for. */
  get names(): SortedNames {
    this.#sorted ??= SortedNames.from(this.repositories.keys());
    return this.#sorted;
  }

  /**
   * Adds an entry of the index.
   *
   * @returns `shadows` if an earlier entry has the same tag and another text; `unassigned` if the entry names no
   *   repository of this layout
   */
  addEntry(entry: IndexEntry, { isParsed, isOwn }: EntryKnowledge): AddedEntry {
    const name = this.#names.parse(entry.refName, entry.imageName);
    if (name === undefined) {
      this.#unassigned.push(textOf(entry));
      return 'unassigned';
    }
    const repository = this.repository(name.repository);
    const { index, kept } = repository;
    const { mediaType, digest, size, unowned } = entry;
    if (!index.manifests.has(digest)) {
      repository.putManifest({ mediaType, digest, size }, 0);
      if (!isParsed) repository.unparsed.add(digest);
    }
    if (unowned !== undefined) {
      repository.unowned.set(digest, joinUnowned(repository.unowned.get(digest), unowned));
    }
    const known = index.manifests.get(digest)?.descriptor;
    const isOurs =
      entry.text === undefined &&
      known?.mediaType === mediaType &&
      known.size === size &&
      this.#names.format(name.repository, name.tag, digest) === entry.refName;
    const asWritten = (rank?: EntryRank): KeptEntry => ({ digest, mediaType, unowned, rank, text: textOf(entry) });
    if (name.tag === undefined) {
      // No other tool adds an entry with an annotation of ours.
      const isOwned = isOurs && (unowned !== undefined || isOwn(name.repository, digest));
      if (!isOwned) kept.addUntagged(asWritten());
      return 'added';
    }
    const shadowed = this.#entryOfTag(name.repository, name.tag);
    const rank = isOurs ? 0 : this.#rankOf(entry, name);
    if (shadowed !== undefined && rank > (shadowed.rank ?? 0)) {
      kept.shadow(name.tag, asWritten(rank));
      return 'shadows';
    }
    index.setTag(name.tag, digest);
    kept.setTag(name.tag, isOurs ? undefined : asWritten(rank));
    if (shadowed === undefined || (isOurs && shadowed.text === textOf(entry))) return 'added';
    // If several entries name the same tag in the same way, the last one counts.
    kept.shadow(name.tag, shadowed);
    return 'shadows';
  }

  #rankOf({ digest, refName, imageName }: IndexEntry, { repository, tag }: EntryName): EntryRank {
    if (this.#names.format(repository, tag, digest) === refName) return 0;
    return imageName === undefined || this.#names.parse(refName)?.tag === tag ? 1 : 2;
  }

  /** Adds an entry, unless its tag has a manifest already, or its manifest is present and the entry has no tag. */
  addMissing(entry: IndexEntry, knowledge: EntryKnowledge): void {
    const name = this.#names.parse(entry.refName, entry.imageName);
    const index = name === undefined ? undefined : this.repositories.get(name.repository)?.index;
    if (name?.tag !== undefined && index?.digestOfTag(name.tag) !== undefined) return;
    if (name !== undefined && name.tag === undefined && index?.manifests.has(entry.digest) === true) return;
    if (name === undefined && this.#unassigned.includes(textOf(entry))) return;
    this.addEntry(entry, knowledge);
  }

  /**
   * The texts of the entries for the index. Yields undefined where there is none, so that a writer can pause there.
   * Repositories may change meanwhile.
   */
  *entries(): Generator<string | undefined> {
    for (const [name, { index, implicit, kept }] of this.repositories) {
      // Before the tags: of several entries with the same tag the last one counts.
      for (const { text } of kept.shadowed()) yield text;
      for (
        let tags = index.tagNames.after(undefined, tagsAtOnce);
        tags.length > 0;
        tags = index.tagNames.after(tags.at(-1), tagsAtOnce)
      ) {
        for (const tag of tags) yield this.#entryOfTag(name, tag)?.text;
      }
      for (const [digest, { descriptor, tags }] of index.manifests) {
        for (const { text } of kept.untagged(digest)) yield text;
        const isNamed = tags.size > 0 || implicit.has(digest) || kept.names(digest);
        const own = this.#withUnowned(name, descriptor);
        // If other tools wrote all its entries, an entry of our own says what they do not.
        const isNeeded = isNamed ? own.unowned !== undefined && !this.#isSaid(name, digest, own.unowned) : true;
        yield isNeeded ? formatEntry(this.#ownEntry(name, undefined, own)) : undefined;
      }
    }
    yield* this.#unassigned;
  }

  /** True if an entry of the manifest lists all that it does not own. */
  #isSaid(name: string, digest: Digest, unowned: Unowned): boolean {
    const repository = this.repositories.get(name);
    const tags = [...(repository?.index.manifests.get(digest)?.tags ?? [])];
    const entries = tags.map((tag) => repository?.kept.ofTag(tag));
    const theirs = [...entries, ...(repository?.kept.untagged(digest) ?? [])];
    return theirs.some((entry) => entry === undefined || includesUnowned(entry.unowned, unowned));
  }

  #entryOfTag(name: string, tag: string): KeptEntry | undefined {
    const repository = this.repositories.get(name);
    const digest = repository?.index.digestOfTag(tag);
    const descriptor = digest === undefined ? undefined : repository?.index.manifests.get(digest)?.descriptor;
    if (repository === undefined || descriptor === undefined) return undefined;
    const kept = repository.kept.ofTag(tag);
    if (kept !== undefined) return kept;
    const text = formatEntry(this.#ownEntry(name, tag, this.#withUnowned(name, descriptor)));
    return { digest: descriptor.digest, mediaType: descriptor.mediaType, text };
  }

  #withUnowned(name: string, descriptor: Omit<OwnEntry, 'refName' | 'unowned'>): Omit<OwnEntry, 'refName'> {
    const repository = this.repositories.get(name);
    if (repository?.unowned.has(descriptor.digest) !== true) return descriptor;
    const unowned = repository.unownedNow(descriptor.digest);
    if (unowned !== undefined) return { ...descriptor, unowned };
    // A sparse registry has very many lists whose content came later.
    repository.unowned.delete(descriptor.digest);
    return descriptor;
  }

  #ownEntry(repository: string, tag: string | undefined, entry: Omit<OwnEntry, 'refName'>): OwnEntry {
    const { mediaType, digest, size, unowned } = entry;
    return { mediaType, digest, size, unowned, refName: this.#names.format(repository, tag, digest) };
  }
}

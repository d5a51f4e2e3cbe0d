// The content of a layout in memory, by repository, as its index gives it and as it is written back.
import type { Descriptor, Digest } from '../../../model/index.ts';

import { refNameAnnotation } from './index-file.ts';
import type { ParsedIndex } from './index-file.ts';
import { LayoutRepository } from './layout-repository.ts';
import type { EntryNames } from './entry-names.ts';

const tagsAtOnce = 512;

/** The content of a layout, by repository: read from the entries of its index, and turned into entries again. */
export class LayoutContent {
  /** The repositories that are not empty, by name. */
  readonly repositories: Map<string, LayoutRepository> = new Map();
  /** The other fields of the index, as they were read. */
  readonly head: Record<string, unknown> | undefined;
  readonly #names: EntryNames;
  /** Entries that belong to no repository here; written back unchanged. */
  readonly #unassigned: unknown[];

  constructor(names: EntryNames, file: ParsedIndex | undefined) {
    this.#names = names;
    this.head = file?.head;
    this.#unassigned = [...(file?.unreadable ?? [])];
  }

  /** Entries that belong to no repository here. */
  get unassigned(): readonly unknown[] {
    return this.#unassigned;
  }

  /** The repository of this name, created if need be. */
  repository(name: string): LayoutRepository {
    let repository = this.repositories.get(name);
    if (repository === undefined) {
      repository = new LayoutRepository();
      this.repositories.set(name, repository);
    }
    return repository;
  }

  /**
   * Adds an entry of the index.
   *
   * @param isParsed whether the manifest has been read
   * @returns false if the entry names no repository of this layout
   */
  addEntry(entry: Descriptor, isParsed: boolean): boolean {
    const name = this.#names.parse(entry.annotations?.[refNameAnnotation]);
    if (name === undefined) {
      this.#unassigned.push(entry);
      return false;
    }
    const repository = this.repository(name.repository);
    const { index } = repository;
    const { mediaType, digest, size } = entry;
    if (!index.manifests.has(digest)) {
      repository.putManifest({ mediaType, digest, size }, 0);
      if (!isParsed) repository.unparsed.add(digest);
    }
    if (name.tag !== undefined) index.setTag(name.tag, digest);
    const ours = this.#entry(name.repository, name.tag, index.manifests.get(digest)?.descriptor ?? entry);
    const isOurs = JSON.stringify(entry) === JSON.stringify(ours);
    if (name.tag === undefined) {
      if (!isOurs) addTo(repository.foreignUntagged, digest, entry);
      return true;
    }
    // If several entries name the same tag, the last one counts.
    if (isOurs) repository.foreign.delete(name.tag);
    else repository.foreign.set(name.tag, entry);
    return true;
  }

  /** Adds an entry, unless its tag has a manifest already, or its manifest is present and the entry has no tag. */
  addMissing(entry: Descriptor): void {
    const name = this.#names.parse(entry.annotations?.[refNameAnnotation]);
    const index = name === undefined ? undefined : this.repositories.get(name.repository)?.index;
    if (name?.tag !== undefined && index?.digestOfTag(name.tag) !== undefined) return;
    if (name !== undefined && name.tag === undefined && index?.manifests.has(entry.digest) === true) return;
    const text = JSON.stringify(entry);
    if (name === undefined && this.#unassigned.some((kept) => JSON.stringify(kept) === text)) return;
    this.addEntry(entry, false);
  }

  /**
   * The entries for the index. Yields undefined where there is none, so that a writer can pause there. Repositories
   * may change meanwhile.
   */
  *entries(): Generator {
    for (const [name, { index, implicit, foreign, foreignUntagged }] of this.repositories) {
      for (
        let tags = index.tagNames.after(undefined, tagsAtOnce);
        tags.length > 0;
        tags = index.tagNames.after(tags.at(-1), tagsAtOnce)
      ) {
        for (const tag of tags) {
          const digest = index.digestOfTag(tag);
          const entry = digest === undefined ? undefined : index.manifests.get(digest);
          yield entry === undefined ? undefined : (foreign.get(tag) ?? this.#entry(name, tag, entry.descriptor));
        }
      }
      for (const [digest, { descriptor, tags }] of index.manifests) {
        const theirs = foreignUntagged.get(digest);
        if (theirs !== undefined) yield* theirs;
        else yield tags.size === 0 && !implicit.has(digest) ? this.#entry(name, undefined, descriptor) : undefined;
      }
    }
    yield* this.#unassigned;
  }

  #entry(repository: string, tag: string | undefined, { mediaType, digest, size }: Descriptor): Descriptor {
    const refName = this.#names.format(repository, tag, digest);
    const entry = { mediaType, digest, size };
    return refName === undefined ? entry : { ...entry, annotations: { [refNameAnnotation]: refName } };
  }
}

function addTo(lists: Map<Digest, Descriptor[]>, digest: Digest, entry: Descriptor): void {
  const list = lists.get(digest);
  if (list === undefined) lists.set(digest, [entry]);
  else list.push(entry);
}

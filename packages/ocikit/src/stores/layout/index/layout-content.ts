import type { Descriptor, Digest } from '../../../model/index.ts';

import { refNameAnnotation } from './index-file.ts';
import type { ParsedIndex } from './index-file.ts';
import { LayoutRepository } from './layout-repository.ts';
import type { EntryNames } from './entry-names.ts';

const tagsAtOnce = 512;

/** What the index of a layout says, by repository, and back. */
export class LayoutContent {
  readonly repositories: Map<string, LayoutRepository> = new Map();
  readonly head: Record<string, unknown> | undefined;
  readonly #names: EntryNames;
  /** Entries that are nobody's: written back as they were. */
  readonly #unassigned: unknown[];

  constructor(names: EntryNames, file: ParsedIndex | undefined) {
    this.#names = names;
    this.head = file?.head;
    this.#unassigned = [...(file?.unreadable ?? [])];
  }

  /** Entries that mean nothing here. */
  get unassigned(): readonly unknown[] {
    return this.#unassigned;
  }

  repository(name: string): LayoutRepository {
    let repository = this.repositories.get(name);
    if (repository === undefined) {
      repository = new LayoutRepository();
      this.repositories.set(name, repository);
    }
    return repository;
  }

  /**
   * @param isParsed whether the manifest has been looked into
   * @returns false if the entry names no repository here
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
    // The last of several that say the same tag counts.
    if (isOurs) repository.foreign.delete(name.tag);
    else repository.foreign.set(name.tag, entry);
    return true;
  }

  /** Adds what an entry says, unless something else is known of its tag, or its manifest is there if it has none. */
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
   * What is to be in the index; undefined where there is nothing, so that who writes it can stop there for a while.
   * Repositories may change meanwhile.
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

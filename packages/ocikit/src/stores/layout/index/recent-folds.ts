// The changes of recent folds, for edits by tools that had read the index before them.
import type { Digest } from '../../../model/index.ts';

import { LayoutChanges } from './changes.ts';
import type { KnownState } from './known-state.ts';
import type { LayoutRepository } from './layout-repository.ts';

type Repositories = ReadonlyMap<string, LayoutRepository>;

/** Milliseconds. A tool may take long to copy an image between reading the index and writing it. */
export const longestCopy: number = 10 * 60 * 1000;
/** Names of tags and manifests that are remembered for a layout; one fold may go beyond. */
const mostNames = 20_000;
const tagsAtOnce = 512;

/** The changes of one fold. */
export interface Fold {
  /** Its changes. */
  readonly changes: LayoutChanges;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** An index that another tool wrote. */
export interface Edit {
  /** Its content. */
  edited: Repositories;
  /** When it was written, in milliseconds since the epoch. */
  editedAt: number;
  /** The state that it replaced. */
  known: KnownState;
  /** Changes of the known state that no index has yet. */
  pending: LayoutChanges;
  /** True if a manifest has its file. A tool that removed files has deleted what they were for. */
  hasFile: (digest: Digest) => boolean;
}

/**
 * The changes of recent folds. Tools like skopeo read an index, copy an image, and write the index back with one more
 * entry. A fold in between would be undone, although its pushes were acknowledged.
 */
export class RecentFolds {
  #folds: readonly Fold[];

  constructor(folds: readonly Fold[] = []) {
    this.#folds = folds;
  }

  /** The folds, oldest first. */
  get folds(): readonly Fold[] {
    return this.#folds;
  }

  /** Notes the changes in an index that was just written. */
  add(changes: LayoutChanges): void {
    this.#folds = this.with(changes);
  }

  /** The folds after one more. Those that are too old, or beyond the limit, are left out. */
  with(changes: LayoutChanges): readonly Fold[] {
    const at = Math.max(Date.now(), (this.#folds.at(-1)?.at ?? 0) + 1);
    let left = mostNames;
    const newest = [...this.#folds, { changes, at }].toReversed();
    const kept = newest.filter((fold) => {
      if (at - fold.at > longestCopy || left <= 0) return false;
      left -= fold.changes.size;
      return true;
    });
    return kept.toReversed();
  }

  /**
   * The changes that an edited index lacks because its tool did not know them. It is taken for such an edit if it adds
   * something and lacks nothing else. If it only lacks something, or has a lacking manifest under another tag, the tool
   * has deleted or renamed it. So it has if the index shows that the tool knew the fold. Synchronous, so that no fold
   * ends meanwhile.
   */
  missingIn(edit: Edit): LayoutChanges {
    const folds = this.#folds.filter(({ at }) => edit.editedAt - at <= longestCopy);
    const versions = versionsOf([...folds.map(({ changes }) => changes), edit.pending], edit.known);
    const read = foldsReadBy(edit.edited, versions, folds.length);
    const missing = missingFrom(folds.slice(read), (name, tag) => digestAt(versions.get(name)?.get(tag), read), edit);
    if (missing.isEmpty) return missing;
    const ours = new LayoutChanges();
    ours.add(edit.pending);
    ours.add(missing);
    return isExtended(edit, ours) ? missing : new LayoutChanges();
  }
}

/** The digest that a tag had from one fold to another. */
interface Version {
  /** How many folds had run when it got the digest; 0 if it had it before all of them. */
  since: number;
  digest: Digest | undefined;
}

type Versions = ReadonlyMap<string, ReadonlyMap<string, readonly Version[]>>;

/** The digests that the changed tags had, oldest first. The last one is the known one. */
function versionsOf(all: readonly LayoutChanges[], known: KnownState): Versions {
  const versions = new Map<string, Map<string, Version[]>>();
  for (const [i, changes] of all.entries()) {
    for (const [name, { tags }] of changes) {
      const byTag = versions.get(name) ?? new Map<string, Version[]>();
      versions.set(name, byTag);
      for (const [tag, digest] of tags) {
        const list = byTag.get(tag);
        if (list === undefined) {
          byTag.set(tag, [
            { since: 0, digest },
            { since: i + 1, digest: known.digestOfTag(name, tag) },
          ]);
          continue;
        }
        const last = list.at(-1);
        if (last !== undefined) last.digest = digest;
        list.push({ since: i + 1, digest: known.digestOfTag(name, tag) });
      }
    }
  }
  return versions;
}

/** The digest of a tag after so many folds. */
function digestAt(versions: readonly Version[] | undefined, folds: number): Digest | undefined {
  return versions?.findLast(({ since }) => since <= folds)?.digest;
}

/** How many folds the tool certainly knew: its index has a tag as it was only after them. */
function foldsReadBy(edited: Repositories, versions: Versions, most: number): number {
  let read = 0;
  for (const [name, byTag] of versions) {
    const index = edited.get(name)?.index;
    for (const [tag, list] of byTag) {
      const digest = index?.digestOfTag(tag);
      const { since = 0 } = list.find((version) => version.digest === digest) ?? {};
      if (since <= most) read = Math.max(read, since);
    }
  }
  return read;
}

type DigestRead = (repository: string, tag: string) => Digest | undefined;

/** The changes of folds that a tool did not know. If a tag has another digest than the tool read, the tool set it. */
function missingFrom(folds: readonly Fold[], digestRead: DigestRead, { edited, known, hasFile }: Edit): LayoutChanges {
  const missing = new LayoutChanges();
  for (const { changes } of folds) {
    for (const [name, { tags, manifests, blobs }] of changes) {
      const theirs = edited.get(name)?.index;
      const lost = [...tags.keys()].filter((tag) => {
        const digest = known.digestOfTag(name, tag);
        const found = theirs?.digestOfTag(tag);
        return found !== digest && found === digestRead(name, tag) && (digest === undefined || hasFile(digest));
      });
      const isGone = (digest: Digest): boolean =>
        known.hasManifest(name, digest) !== (theirs?.manifests.has(digest) ?? false);
      const isKept = (digest: Digest): boolean => !known.hasManifest(name, digest) || hasFile(digest);
      const gone = [...manifests].filter((digest) => isGone(digest) && isKept(digest));
      if (lost.length === 0 && gone.length === 0) continue;
      const changed = missing.of(name);
      for (const tag of lost) {
        changed.tags.set(tag, theirs?.digestOfTag(tag));
        const digest = known.digestOfTag(name, tag);
        if (digest !== undefined && theirs?.manifests.has(digest) !== true) changed.manifests.add(digest);
      }
      for (const digest of manifests) if (isKept(digest)) changed.manifests.add(digest);
      for (const digest of blobs) changed.blobs.add(digest);
    }
  }
  return missing;
}

/** True if an index has everything that was known but our changes, and something more. */
function isExtended({ edited, known }: Edit, ours: LayoutChanges): boolean {
  const renamed = new Set<string>();
  let left = known.tags;
  for (const [name, { tags }] of ours) {
    for (const tag of tags.keys()) {
      renamed.add(`${name}@${known.digestOfTag(name, tag)}`);
      if (known.hasTag(name, tag)) left--;
    }
  }
  let isMore = false;
  for (const [name, { index }] of edited) {
    const changed = ours.get(name);
    for (const tag of tagsOf(index.tagNames)) {
      if (changed?.tags.has(tag) === true) continue;
      const digest = index.digestOfTag(tag);
      if (known.hasTag(name, tag)) left--;
      isMore ||= !known.isAt(name, tag, digest) && !renamed.has(`${name}@${digest}`);
    }
    for (const digest of isMore ? [] : index.manifests.keys()) {
      isMore ||= !known.hasManifest(name, digest) && changed?.manifests.has(digest) !== true;
    }
  }
  return isMore && left === 0;
}

/** The names, a few at a time. */
export function* tagsOf(names: { after(name: string | undefined, count: number): string[] }): Generator<string> {
  for (let tags = names.after(undefined, tagsAtOnce); tags.length > 0; tags = names.after(tags.at(-1), tagsAtOnce)) {
    yield* tags;
  }
}

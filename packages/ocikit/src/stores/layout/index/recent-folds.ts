// The changes of recent folds, for edits by tools that had read the index before them.
import { LayoutChanges } from './changes.ts';
import type { LayoutRepository } from './layout-repository.ts';

type Repositories = ReadonlyMap<string, LayoutRepository>;

/** Milliseconds. A tool may take long to copy an image between reading the index and writing it. */
const longestCopy = 10 * 60 * 1000;
/** Names of tags, manifests and blobs that are remembered for a layout. */
const mostNames = 20_000;
const tagsAtOnce = 512;

interface Fold {
  changes: LayoutChanges;
  /** By a monotonic clock. */
  at: number;
}

/**
 * The changes of recent folds. Tools like skopeo read an index, copy an image, and write the index back with one more
 * entry. A fold in between would be undone, although its pushes were acknowledged.
 */
export class RecentFolds {
  #folds: Fold[] = [];

  /** Notes the changes in an index that was just written. */
  add(changes: LayoutChanges): void {
    const at = performance.now();
    let left = mostNames;
    const newest = [...this.#folds, { changes, at }].toReversed();
    this.#folds = newest.filter((fold) => at - fold.at <= longestCopy && (left -= fold.changes.size) >= 0).toReversed();
  }

  /**
   * The changes that an edited index lacks because its tool did not know them. It is taken for such an edit if it adds
   * something and lacks nothing else. If it only lacks something, or has a lacking manifest under another tag, the tool
   * has deleted or renamed it. Synchronous, so that no fold ends meanwhile.
   *
   * @param pending changes that no index has yet
   */
  missingIn(edited: Repositories, known: Repositories, pending: LayoutChanges): LayoutChanges {
    const missing = this.#missing(edited, known);
    if (missing.isEmpty) return missing;
    const ours = new LayoutChanges();
    ours.add(missing);
    ours.add(pending);
    return isExtended(edited, known, ours) ? missing : new LayoutChanges();
  }

  #missing(edited: Repositories, known: Repositories): LayoutChanges {
    const missing = new LayoutChanges();
    for (const { changes } of this.#folds) {
      for (const [name, { tags, manifests, blobs }] of changes) {
        const [ours, theirs] = [known.get(name)?.index, edited.get(name)?.index];
        const lost = [...tags].filter((tag) => ours?.digestOfTag(tag) !== theirs?.digestOfTag(tag));
        const gone = [...manifests].filter((digest) => ours?.manifests.has(digest) !== theirs?.manifests.has(digest));
        if (lost.length === 0 && gone.length === 0) continue;
        const changed = missing.of(name);
        for (const tag of lost) changed.tags.add(tag);
        for (const digest of manifests) changed.manifests.add(digest);
        for (const digest of blobs) changed.blobs.add(digest);
      }
    }
    return missing;
  }
}

/** True if an index has everything that was known but our changes, and something more. */
function isExtended(edited: Repositories, known: Repositories, ours: LayoutChanges): boolean {
  let hasCommon = false;
  for (const [name, { index }] of known) {
    const theirs = edited.get(name)?.index;
    for (const tag of tagsOf(index.tagNames)) {
      if (ours.get(name)?.tags.has(tag) === true) continue;
      if (theirs?.digestOfTag(tag) === undefined) return false;
      hasCommon = true;
    }
  }
  if (!hasCommon) return false;
  const renamed = new Set<string>();
  for (const [name, { tags }] of ours) {
    for (const tag of tags) renamed.add(`${name}@${known.get(name)?.index.digestOfTag(tag)}`);
  }
  for (const [name, { index }] of edited) {
    const before = known.get(name)?.index;
    for (const tag of tagsOf(index.tagNames)) {
      const digest = index.digestOfTag(tag);
      if (ours.get(name)?.tags.has(tag) === true || before?.digestOfTag(tag) === digest) continue;
      if (!renamed.has(`${name}@${digest}`)) return true;
    }
    for (const digest of index.manifests.keys()) {
      const isNew = before?.manifests.has(digest) !== true && ours.get(name)?.manifests.has(digest) !== true;
      if (isNew) return true;
    }
  }
  return false;
}

function* tagsOf(names: { after(name: string | undefined, count: number): string[] }): Generator<string> {
  for (let tags = names.after(undefined, tagsAtOnce); tags.length > 0; tags = names.after(tags.at(-1), tagsAtOnce)) {
    yield* tags;
  }
}

// The last folds in a snapshot: their changes, and the state that the newest one wrote.
import type { Descriptor, Digest } from '../../../model/index.ts';

import { TimeSlice } from '../files/index.ts';
import type { JournalRecord } from '../journal/index.ts';

import { recordsOf } from './apply-record.ts';
import { LayoutChanges } from './changes.ts';
import type { KnownState } from './known-state.ts';
import { LayoutRepository } from './layout-repository.ts';
import { RecentFolds, tagsOf } from './recent-folds.ts';
import type { Edit, Fold } from './recent-folds.ts';
import { linesOf, wordLinesOf } from './snapshot-lines.ts';
import type { Unowned } from './unowned.ts';

/** A line of a snapshot about the last folds. */
export interface FoldedLine {
  /** The repository's name. It may be gone. */
  repository: string;
  /** `tag@start-of-digest`, and `@start-of-digest` for manifests without a tag, separated by spaces. */
  known?: string;
  /** Tags that changed. */
  recentTags?: RecentTag[];
  /** Manifests that changed, and those of the tags. */
  recentManifests?: RecentManifest[];
}

/** When the fold ran, the tag, its digest before the fold, and its digest now; 0: none. */
type RecentTag = [at: number, tag: string, before: Digest | 0, now: Digest | 0];
/** When the fold ran, the digest and, if the manifest is there now, its size, its media type and more. */
type RecentManifest = [at: number, digest: Digest, size?: number, mediaType?: string, more?: MoreOfManifest];

interface MoreOfManifest {
  subject?: Digest | undefined;
  referrer?: Descriptor | undefined;
  unowned?: Unowned | undefined;
}

/** The lines about the last folds. See {@link snapshotLines}. */
export function* foldedLines(
  repositories: ReadonlyMap<string, LayoutRepository>,
  recent: () => readonly Fold[],
): Generator<string> {
  for (const [name, repository] of repositories) yield* wordLinesOf(name, 'known', knownWords(repository));
  for (const { at, changes } of recent()) {
    for (const [name, { tags, manifests }] of changes) {
      const repository = repositories.get(name);
      yield* linesOf(name, 'recentTags', recentTags(at, tags, repository));
      yield* linesOf(name, 'recentManifests', recentManifests(at, tags, manifests, repository));
    }
  }
}

function* knownWords({ index }: LayoutRepository): Generator<string> {
  for (const tag of tagsOf(index.tagNames)) yield `${tag}@${startOf(index.digestOfTag(tag))}`;
  for (const [digest, { tags }] of index.manifests) if (tags.size === 0) yield `@${startOf(digest)}`;
}

/** A part of a digest that is enough to tell it from another one. */
function startOf(digest: Digest | undefined): string {
  if (digest === undefined) return '';
  const start = digest.indexOf(':') + 1;
  return digest.slice(start, start + 12);
}

function* recentTags(
  at: number,
  tags: ReadonlyMap<string, Digest | undefined>,
  repository: LayoutRepository | undefined,
): Generator<RecentTag> {
  for (const [tag, before] of tags) yield [at, tag, before ?? 0, repository?.index.digestOfTag(tag) ?? 0];
}

function* recentManifests(
  at: number,
  tags: ReadonlyMap<string, Digest | undefined>,
  manifests: ReadonlySet<Digest>,
  repository: LayoutRepository | undefined,
): Generator<RecentManifest | undefined> {
  for (const digest of manifests) yield recentManifest(at, digest, repository);
  for (const tag of tags.keys()) {
    const digest = repository?.index.digestOfTag(tag);
    yield digest === undefined || manifests.has(digest) ? undefined : recentManifest(at, digest, repository);
  }
}

function recentManifest(at: number, digest: Digest, repository: LayoutRepository | undefined): RecentManifest {
  const entry = repository?.index.manifests.get(digest);
  if (entry === undefined) return [at, digest];
  const { descriptor, subject, referrer } = entry;
  const unowned = repository?.unownedNow(digest);
  const isMore = subject !== undefined || unowned !== undefined;
  const { size, mediaType } = descriptor;
  return isMore ? [at, digest, size, mediaType, { subject, referrer, unowned }] : [at, digest, size, mediaType];
}

/**
 * The state that a fold wrote, as far as a snapshot tells. A process that was killed, or that closed the layout, has no
 * other memory of it.
 */
export class FoldedState implements KnownState {
  /** The changes of the last folds. */
  readonly recent: RecentFolds;
  #tags = 0;
  /** The starts of digests by tag. */
  readonly #known = new Map<string, { tags: Map<string, string>; manifests: Set<string> }>();
  /** The repositories, with the tags and manifests that changed, as they are now. */
  readonly #changed = new Map<string, LayoutRepository>();

  private constructor(folds: readonly Fold[]) {
    this.recent = new RecentFolds(folds);
  }

  /** Reads the lines of a snapshot. */
  static async from(lines: readonly FoldedLine[]): Promise<FoldedState> {
    const folds = new Map<number, Fold>();
    const foldAt = (at: number): LayoutChanges => {
      const fold = folds.get(at) ?? { at, changes: new LayoutChanges() };
      folds.set(at, fold);
      return fold.changes;
    };
    const slice = new TimeSlice();
    for (const { repository, recentTags: tags = [], recentManifests: manifests = [] } of lines) {
      for (const [at, tag, before] of tags) {
        foldAt(at)
          .of(repository)
          .tags.set(tag, before === 0 ? undefined : before);
      }
      for (const [at, digest] of manifests) foldAt(at).of(repository).manifests.add(digest);
      if (slice.isOver) await slice.giveWay();
    }
    const state = new FoldedState([...folds.values()].toSorted((one, other) => one.at - other.at));
    for (const line of lines) {
      state.#add(line);
      if (slice.isOver) await slice.giveWay();
    }
    return state;
  }

  #add({ repository: name, known, recentTags: tags = [], recentManifests: manifests = [] }: FoldedLine): void {
    if (known !== undefined) this.#addKnown(name, known);
    if (tags.length + manifests.length === 0) return;
    const repository = this.#changed.get(name) ?? new LayoutRepository();
    this.#changed.set(name, repository);
    for (const [, digest, size, mediaType, more = {}] of manifests) {
      if (size === undefined || mediaType === undefined) continue;
      const { subject, referrer, unowned } = more;
      repository.putManifest({ mediaType, digest, size }, 0, { subject, referrer });
      if (unowned !== undefined) repository.unowned.set(digest, unowned);
    }
    for (const [, tag, , now] of tags) if (now !== 0) repository.index.setTag(tag, now);
  }

  #addKnown(name: string, words: string): void {
    const known = this.#known.get(name) ?? { tags: new Map<string, string>(), manifests: new Set<string>() };
    this.#known.set(name, known);
    for (const word of words.split(' ')) {
      const at = word.indexOf('@');
      const start = word.slice(at + 1);
      known.manifests.add(start);
      if (at <= 0) continue;
      known.tags.set(word.slice(0, at), start);
      this.#tags++;
    }
  }

  get tags(): number {
    return this.#tags;
  }

  hasTag(repository: string, tag: string): boolean {
    return this.#known.get(repository)?.tags.has(tag) === true;
  }

  isAt(repository: string, tag: string, digest: Digest | undefined): boolean {
    return this.#known.get(repository)?.tags.get(tag) === (digest === undefined ? undefined : startOf(digest));
  }

  hasManifest(repository: string, digest: Digest): boolean {
    return this.#known.get(repository)?.manifests.has(startOf(digest)) === true;
  }

  digestOfTag(repository: string, tag: string): Digest | undefined {
    return this.#changed.get(repository)?.index.digestOfTag(tag);
  }

  /** The records that an index of another tool lacks because the tool did not know them. */
  recordsMissingIn(edit: Omit<Edit, 'known' | 'pending'>): JournalRecord[] {
    const missing = this.recent.missingIn({ ...edit, known: this, pending: new LayoutChanges() });
    return [...recordsOf(missing, this.#changed)];
  }
}

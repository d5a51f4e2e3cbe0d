// The snapshot of a layout: facts that `index.json` has no place for, so that opening needs no manifest to be read.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing } from '../../disk/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import type { RepositoryIndex } from '../../repository/index.ts';

import { identityNow, inSlices, nameOfLayout, readWhole, TimeSlice } from '../files/index.ts';
import type { Files, Warn } from '../files/index.ts';

import { foldedLines, FoldedState } from './folded-state.ts';
import type { FoldedLine } from './folded-state.ts';
import type { LayoutContent } from './layout-content.ts';
import type { LayoutRepository } from './layout-repository.ts';
import type { Fold } from './recent-folds.ts';
import { linesOf } from './snapshot-lines.ts';
import { joinUnowned } from './unowned.ts';
import type { Unowned } from './unowned.ts';

/** The first line. */
interface Head {
  /** The sha256 of the index that the snapshot belongs to. */
  index: string;
  /** The sha256 of the index before; empty if there was none. */
  replaced?: string;
  /** Missing in snapshots of version 0.1.0, which have neither `untagged` nor `unowned`. */
  format?: number;
}

/** The number of the present format. */
const format = 2;

/** A further line: facts about one repository. */
interface Line extends FoldedLine {
  /** Blobs of the repository. In a layout per repository, only blobs that are manifests as well. */
  blobs?: [Digest, number][];
  /** Manifests that refer to a subject. */
  referrers?: SnapshotReferrer[];
  /** Manifests without an entry of their own. */
  implicit?: Descriptor[];
  /** Manifests that have not been read yet. */
  unparsed?: Digest[];
  /** Manifests without a tag whose entries this library wrote. */
  untagged?: Digest[];
  /** The digests that each manifest names and the repository does not own. */
  unowned?: [Digest, Unowned][];
}

interface SnapshotReferrer {
  subject: Digest;
  referrer: Descriptor;
  size: number;
  mediaType: string;
}

/** A snapshot that was read. */
export interface Snapshot {
  /**
   * True if the snapshot was written together with this index, so that all manifests not listed as unparsed were
   * read.
   */
  isOfIndex: boolean;
  /** True if this index is the one before, because the process that wrote the snapshot was killed. */
  isOfNext: boolean;
  /** True if it says what the manifests name and their repositories do not own. Version 0.1.0 did not write that. */
  isAudited: boolean;
  /** True if this library wrote the entry of an untagged manifest. */
  isOwn(repository: string, digest: Digest): boolean;
  /** Adds its facts to the content of the layout. */
  restore(content: LayoutContent): Promise<void>;
  /** Reads its lines about the last folds. */
  folded(): Promise<FoldedState>;
}

/**
 * Reads the snapshot of the layout in `directory`. If another tool has edited the index since, the snapshot is still
 * true but no longer complete.
 */
export async function readSnapshot(
  dir: string,
  directory: string,
  sha256: string,
  warn: Warn,
): Promise<Snapshot | undefined> {
  const file = fileOf(dir, directory);
  let bytes: Buffer;
  let writtenAt: number;
  try {
    bytes = await readWhole(file);
    writtenAt = (await stat(file)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let lines: (Head & Line)[];
  try {
    lines = await parseLines(bytes);
  } catch (error) {
    warn('a snapshot cannot be read: its facts are read from the manifests again', {
      file,
      error,
    });
    return undefined;
  }
  const head = lines.shift();
  const folded = lines.filter(isOfFolds);
  lines = lines.filter((line) => !isOfFolds(line));
  const isOfIndex = head?.index === sha256;
  const isAudited = (head?.format ?? 1) >= format;
  const untagged = new Map<string, Set<Digest>>();
  for (const line of lines) {
    if (line.untagged === undefined) continue;
    const own = untagged.get(line.repository) ?? new Set();
    for (const digest of line.untagged) own.add(digest);
    untagged.set(line.repository, own);
  }
  return {
    isOfIndex,
    isOfNext: head?.replaced === sha256,
    isAudited,
    isOwn: (repository, digest) => (isAudited ? untagged.get(repository)?.has(digest) === true : isOfIndex),
    async restore(content) {
      const slice = new TimeSlice();
      for (const line of lines) {
        restoreLine(content, line, isOfIndex);
        if (slice.isOver) await slice.giveWay();
      }
      if (isAudited) return;
      if (isOfIndex) noteUnaudited(content);
      else for (const line of lines) noteDoubt(content, line, writtenAt);
    },
    folded: () => FoldedState.from(folded),
  };
}

/** True for a line about the last folds. The repository of such a line may be gone. */
function isOfFolds({ known, recentTags, recentManifests }: Line): boolean {
  return known !== undefined || recentTags !== undefined || recentManifests !== undefined;
}

async function parseLines(bytes: Buffer): Promise<(Head & Line)[]> {
  const slice = new TimeSlice();
  const lines: (Head & Line)[] = [];
  for (const line of linesIn(bytes)) {
    lines.push(JSON.parse(line) as Head & Line);
    if (slice.isOver) await slice.giveWay();
  }
  return lines;
}

function restoreLine(content: LayoutContent, line: Line, isOfIndex: boolean): void {
  const { repository: name, blobs, referrers, implicit, unparsed, unowned } = line;
  const repository = content.repository(name);
  const { index } = repository;
  for (const [digest, size] of blobs ?? []) index.blobs.set(digest, { size, createdAt: 0, usedAt: 0 });
  for (const descriptor of isOfIndex ? (implicit ?? []) : []) {
    repository.putManifest(descriptor, 0);
    repository.implicit.add(descriptor.digest);
  }
  for (const { subject, referrer, size, mediaType } of referrers ?? []) {
    const descriptor = { mediaType, digest: referrer.digest, size };
    if (index.manifests.has(referrer.digest)) repository.putManifest(descriptor, 0, { subject, referrer });
  }
  for (const digest of isOfIndex ? (unparsed ?? []) : []) repository.unparsed.add(digest);
  for (const [digest, list] of unowned ?? []) {
    repository.unowned.set(digest, joinUnowned(repository.unowned.get(digest), list));
  }
}

/** Clients may have pushed any manifest that was read, so each has to be read again to know what it does not prove. */
function noteUnaudited({ repositories }: LayoutContent): void {
  for (const { index, unparsed, unaudited } of repositories.values()) {
    for (const digest of index.manifests.keys()) if (!unparsed.has(digest)) unaudited.add(digest);
  }
}

function noteDoubt(content: LayoutContent, line: Line, before: number): void {
  const repository = content.repository(line.repository);
  const { unread, implicit } = repository.doubt ?? { unread: [], implicit: [] };
  repository.doubt = {
    before,
    unread: new Set([...unread, ...(line.unparsed ?? [])]),
    implicit: new Set([...implicit, ...(line.implicit ?? []).map(({ digest }) => digest)]),
  };
}

/** The state that a snapshot is written of. */
export interface SnapshotState {
  /** The sha256 of the index that the snapshot belongs to. */
  sha256: string;
  /** The sha256 of the index before; empty if there was none. */
  replaced: string;
  /** The content of the layout, which may change meanwhile. */
  content: LayoutContent;
  /** The last folds, and the changes that no index has yet. Asked when all that the content has was written. */
  recent: () => readonly Fold[];
}

/** Writes the snapshot. Call it before the index that it belongs to replaces the old one. */
export async function writeSnapshot(dir: string, directory: string, state: SnapshotState, files: Files): Promise<void> {
  await files.replace(fileOf(dir, directory), inSlices(snapshotLines(state)));
}

/** Writes what the snapshot says of the last folds anew, for an edit that was merged. All else stays as it is. */
export async function rewriteFolds(
  dir: string,
  directory: string,
  { content, recent }: Pick<SnapshotState, 'content' | 'recent'>,
  files: Files,
): Promise<void> {
  const file = fileOf(dir, directory);
  const before = identityNow(file);
  let bytes: Buffer;
  try {
    bytes = await readWhole(file);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const lines = function* (): Generator<string> {
    for (const line of linesIn(bytes)) yield foldsLine.test(line) ? '' : `${line}\n`;
    yield* foldedLines(content.repositories, recent);
  };
  // Another process that has taken the lock may have written one of a newer index.
  const isWanted = (): boolean => identityNow(file) === before;
  await files.replace(file, inSlices(lines()), { isWanted });
}

/** A line that {@link foldedLines} wrote. The name of a repository needs no escape. */
const foldsLine = /^\{"repository":"[^"]*","(?:known|recentTags|recentManifests)":/;

function* linesIn(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length;) {
    const found = bytes.indexOf(10, at);
    const end = found < 0 ? bytes.length : found;
    if (end > at) yield bytes.toString('utf8', at, end);
    at = end + 1;
  }
}

/** The lines of a snapshot, each with a line feed. At an empty text the writer may pause. */
export function* snapshotLines({ sha256, replaced, content, recent }: SnapshotState): Generator<string> {
  const { repositories } = content;
  yield `${JSON.stringify({ index: sha256, replaced, format })}\n`;
  // Listed first, at one moment: manifests may be read while this runs. Manifests that are unread at this moment will
  // be read again after a restart; the results for all others are there already and are listed below.
  const waiting = [...repositories].flatMap(([name, { index, implicit, unparsed, opaque }]) => {
    if (implicit.size === 0 && unparsed.size === 0 && opaque.size === 0) return [];
    const implied = [...implicit].flatMap((digest) => index.manifests.get(digest)?.descriptor ?? []);
    return [{ name, implied, unread: [...unparsed, ...opaque] }];
  });
  for (const { name, implied, unread } of waiting) {
    yield* linesOf(name, 'unparsed', unread);
    yield* linesOf(name, 'implicit', implied);
  }
  for (const [name, repository] of repositories) {
    const { index } = repository;
    yield* linesOf(name, 'blobs', blobsOf(index));
    yield* linesOf(name, 'referrers', referrersOf(index));
    yield* linesOf(name, 'untagged', untaggedOf(repository));
    yield* linesOf(name, 'unowned', unownedIn(repository));
  }
  yield* foldedLines(repositories, recent);
}

function* untaggedOf({ index, implicit, kept }: LayoutRepository): Generator<Digest | undefined> {
  for (const [digest, { tags }] of index.manifests) {
    yield tags.size > 0 || implicit.has(digest) || kept.names(digest) ? undefined : digest;
  }
}

function* unownedIn(repository: LayoutRepository): Generator<[Digest, Unowned] | undefined> {
  for (const digest of repository.unowned.keys()) {
    const unowned = repository.unownedNow(digest);
    yield unowned === undefined ? undefined : [digest, unowned];
  }
}

function* blobsOf({ blobs }: RepositoryIndex): Generator<[Digest, number]> {
  for (const [digest, { size }] of blobs) yield [digest, size];
}

function* referrersOf({ manifests }: RepositoryIndex): Generator<SnapshotReferrer | undefined> {
  for (const { subject, referrer, descriptor } of manifests.values()) {
    const { size, mediaType } = descriptor;
    yield subject === undefined || referrer === undefined ? undefined : { subject, referrer, size, mediaType };
  }
}

function fileOf(dir: string, directory: string): string {
  return join(dir, `${nameOfLayout(directory)}.jsonl`);
}

// The snapshot of a layout: facts that `index.json` has no place for, so that opening needs no manifest to be read.
import { join } from 'node:path';

import { isMissing } from '../../disk/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import type { RepositoryIndex } from '../../repository/index.ts';

import { inSlices, nameOfLayout, readWhole, TimeSlice } from '../files/index.ts';
import type { Files, Warn } from '../files/index.ts';

import type { LayoutContent } from './layout-content.ts';

/** The first line: the sha256 of the index that the snapshot belongs to. */
interface Head {
  index: string;
}

/** A further line: facts about one repository. */
interface Line {
  repository: string;
  /** Blobs of the repository. In a layout per repository, only blobs that are manifests as well. */
  blobs?: [Digest, number][];
  /** Manifests that refer to a subject. */
  referrers?: SnapshotReferrer[];
  /** Manifests without an entry of their own. */
  implicit?: Descriptor[];
  /** Manifests that have not been read yet. */
  unparsed?: Digest[];
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
  /** Adds its facts to the content of the layout. */
  restore(content: LayoutContent): Promise<void>;
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
  let bytes: Buffer;
  try {
    bytes = await readWhole(fileOf(dir, directory));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let lines: (Head & Line)[];
  try {
    lines = await parseLines(bytes);
  } catch (error) {
    warn('a snapshot cannot be read: its facts are read from the manifests again', {
      file: fileOf(dir, directory),
      error,
    });
    return undefined;
  }
  const isOfIndex = lines.shift()?.index === sha256;
  return {
    isOfIndex,
    async restore(content) {
      const slice = new TimeSlice();
      for (const line of lines) {
        restoreLine(content, line, isOfIndex);
        if (slice.isOver) await slice.giveWay();
      }
    },
  };
}

async function parseLines(bytes: Buffer): Promise<(Head & Line)[]> {
  const slice = new TimeSlice();
  const lines: (Head & Line)[] = [];
  for (let at = 0; at < bytes.length;) {
    const found = bytes.indexOf(10, at);
    const end = found < 0 ? bytes.length : found;
    if (end > at) lines.push(JSON.parse(bytes.toString('utf8', at, end)) as Head & Line);
    at = end + 1;
    if (slice.isOver) await slice.giveWay();
  }
  return lines;
}

function restoreLine(content: LayoutContent, line: Line, isOfIndex: boolean): void {
  const { repository: name, blobs, referrers, implicit, unparsed } = line;
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
}

/** Writes the snapshot. Call it before the index that it belongs to replaces the old one. */
export async function writeSnapshot(
  dir: string,
  directory: string,
  sha256: string,
  content: LayoutContent,
  files: Files,
): Promise<void> {
  await files.replace(fileOf(dir, directory), inSlices(snapshotLines(sha256, content)));
}

const lineLength = 16 * 1024;

/** The lines of a snapshot, each with a line feed. At an empty text the writer may pause. */
export function* snapshotLines(sha256: string, { repositories }: LayoutContent): Generator<string> {
  yield `${JSON.stringify({ index: sha256 })}\n`;
  // Listed first, at one moment: manifests may be read while this runs. Manifests that are unread at this moment will
  // be read again after a restart; the results for all others are there already and are listed below.
  const waiting = [...repositories].flatMap(([name, { index, implicit, unparsed }]) => {
    if (implicit.size === 0 && unparsed.size === 0) return [];
    const implied = [...implicit].flatMap((digest) => index.manifests.get(digest)?.descriptor ?? []);
    return [{ name, implied, unparsed: [...unparsed] }];
  });
  for (const { name, implied, unparsed } of waiting) {
    yield* linesOf(name, 'unparsed', unparsed);
    yield* linesOf(name, 'implicit', implied);
  }
  for (const [name, { index }] of repositories) {
    yield* linesOf(name, 'blobs', blobsOf(index));
    yield* linesOf(name, 'referrers', referrersOf(index));
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

function* linesOf(repository: string, field: keyof Line, items: Iterable<unknown>): Generator<string> {
  const start = `{"repository":${JSON.stringify(repository)},"${field}":[`;
  let list = '';
  for (const item of items) {
    if (item !== undefined) list += (list === '' ? '' : ',') + JSON.stringify(item);
    if (list.length < lineLength) {
      yield '';
      continue;
    }
    yield `${start}${list}]}\n`;
    list = '';
  }
  if (list !== '') yield `${start}${list}]}\n`;
}

function fileOf(dir: string, directory: string): string {
  return join(dir, `${nameOfLayout(directory)}.jsonl`);
}

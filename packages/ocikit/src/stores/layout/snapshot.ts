import { createHash } from 'node:crypto';
import { join } from 'node:path';

import type { Descriptor, Digest } from '../../model/index.ts';

import { isMissing, readWhole } from './files.ts';
import type { Files } from './files.ts';
import type { LayoutContent } from './layout-content.ts';
import type { Warn } from './warn.ts';

/** What `index.json` has no place for, so that opening it again needs no manifest to be read. */
interface Line {
  repository: string;
  /** Blobs of the repository; with a layout for each, only those that are manifests as well. */
  blobs?: [Digest, number][];
  /** Manifests that refer to a subject. */
  referrers?: { subject: Digest; referrer: Descriptor; size: number; mediaType: string }[];
  /** Manifests without an entry of their own. */
  implicit?: Descriptor[];
  /** Manifests that nobody has looked into yet. */
  unparsed?: Digest[];
}

export interface Snapshot {
  /** True if it was written together with this index, so that all of its manifests have been looked into. */
  isOfIndex: boolean;
  restore(content: LayoutContent): void;
}

const perLine = 500;

/**
 * What is known of the layout in `directory` beside its index. What it says stays true if somebody edits the index, but
 * is then not all there is to know.
 */
export async function readSnapshot(
  dir: string,
  directory: string,
  sha256: string,
  warn: Warn,
): Promise<Snapshot | undefined> {
  let text: string;
  try {
    text = (await readWhole(fileOf(dir, directory))).toString();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const [head, ...rest] = text.split('\n').filter((line) => line !== '');
  let lines: Line[];
  try {
    lines = rest.map((line) => JSON.parse(line) as Line);
  } catch (error) {
    warn('what was known beside an index cannot be read, and is found out again', {
      file: fileOf(dir, directory),
      error,
    });
    return undefined;
  }
  const isOfIndex = head === JSON.stringify({ index: sha256 });
  return {
    isOfIndex,
    restore: (content) => {
      for (const line of lines) restoreLine(content, line, isOfIndex);
    },
  };
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

/** Written before the index that it belongs to takes its place. */
export async function writeSnapshot(
  dir: string,
  directory: string,
  sha256: string,
  content: LayoutContent,
  files: Files,
): Promise<void> {
  await files.replace(fileOf(dir, directory), pieces([{ index: sha256 }, ...linesOf(content)]));
}

function* pieces(lines: readonly unknown[]): Generator<Buffer> {
  for (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`);
}

function* linesOf(content: LayoutContent): Generator<Line> {
  for (const [repository, { index, implicit, unparsed }] of content.repositories) {
    for (const blobs of slices([...index.blobs].map(([digest, { size }]): [Digest, number] => [digest, size]))) {
      yield { repository, blobs };
    }
    const referrers = [...index.manifests.values()].flatMap(({ subject, referrer, descriptor }) =>
      subject === undefined || referrer === undefined
        ? []
        : [{ subject, referrer, size: descriptor.size, mediaType: descriptor.mediaType }],
    );
    const implied = [...implicit].flatMap((digest) => index.manifests.get(digest)?.descriptor ?? []);
    for (const slice of slices(implied)) yield { repository, implicit: slice };
    for (const slice of slices(referrers)) yield { repository, referrers: slice };
    for (const slice of slices([...unparsed])) yield { repository, unparsed: slice };
  }
}

function* slices<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += perLine) yield items.slice(at, at + perLine);
}

function fileOf(dir: string, directory: string): string {
  return join(dir, `${createHash('sha256').update(directory).digest('hex')}.jsonl`);
}

import { closeSync, openSync, readSync } from 'node:fs';
import { readdir, open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { digestOf, splitDigest } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import { isMissing, pooledRandomBytes, readWhole } from '../files/index.ts';

/**
 * What happened to a repository. Absolute: applied twice, or to something that has it already, it changes nothing, so
 * a journal can always be replayed from its start.
 */
export type JournalRecord =
  | { op: 'tag'; repository: string; tag: string; digest: Digest; move?: RecordedMove | undefined }
  | { op: 'untag'; repository: string; tag: string; move?: RecordedMove | undefined }
  | {
      op: 'manifest';
      repository: string;
      descriptor: Descriptor;
      subject?: Digest | undefined;
      referrer?: Descriptor | undefined;
    }
  | { op: 'unmanifest'; repository: string; digest: Digest }
  | { op: 'blob'; repository: string; digest: Digest; size: number }
  | { op: 'unblob'; repository: string; digest: Digest }
  /** The index of this directory has been written with everything up to here, and has this sha256. */
  | { op: 'folded'; directory: string; sha256: string }
  /** The records that follow for this directory extend an index of this sha256; empty if there was none. */
  | { op: 'base'; directory: string; sha256: string };

/** How a tag moved by a record. */
export interface RecordedMove {
  /** No other move has it. */
  id: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** Where it was; left out if it is new. */
  previous?: Digest | undefined;
  caller?: string | undefined;
}

/** A record that moves a tag. */
export type TagMoveRecord = Extract<JournalRecord, { tag: string }> & { move: RecordedMove };

/** What happened to files: the journal keeps the bytes of small ones, until the files themselves are durable. */
export type ContentRecord =
  /** The file of this content has these bytes, which come behind the records, as {@link randomMask} says. */
  | { op: 'content'; directory: string; digest: Digest; size: number; mask: number }
  /** The file is gone, whatever was said of it before. */
  | { op: 'removed'; directory: string; digest: Digest };

const magic = Buffer.from('ocikit journal 3\n');
const headLength = 12;
const wordLength = 4;
const maxPayload = 16 * 1024 * 1024;

/** What every generation begins with. */
export const journalMagic: Uint8Array = magic;

export function journalPath(dir: string, generation: number): string {
  return join(dir, `journal-${generation}`);
}

/**
 * What the bytes of a content are combined with, four at a time. Where a journal is damaged, everything behind is looked
 * through for records: nobody must be able to push what looks like some there.
 */
export function randomMask(): number {
  return pooledRandomBytes(4).readUInt32LE();
}

/** Combines bytes with a mask where they stand; twice, and they are what they were. */
function combine(bytes: Uint8Array, mask: number): void {
  const count = bytes.byteOffset % wordLength === 0 ? Math.floor(bytes.length / wordLength) : 0;
  const words = new Uint32Array(bytes.buffer, count === 0 ? 0 : bytes.byteOffset, count);
  for (let i = 0; i < count; i++) words[i] = (words[i] ?? 0) ^ mask;
  const parts = new Uint8Array(Uint32Array.of(mask).buffer);
  for (let i = count * wordLength; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ (parts[i % wordLength] ?? 0);
}

/**
 * A frame has the length of what follows its head, a checksum of that, the length of the records in it, the records,
 * and then the bytes of the contents.
 *
 * @param contents the bytes of each record of content, in their order
 */
export function encodeFrame(
  records: readonly (JournalRecord | ContentRecord)[],
  contents: readonly Uint8Array[] = [],
): Buffer {
  const json = JSON.stringify(records);
  const textLength = Buffer.byteLength(json);
  // Spaces behind it let the first content begin at a word.
  const text = Buffer.from(contents.length === 0 ? json : json.padEnd(json.length + (-textLength & (wordLength - 1))));
  const length = contents.reduce((sum, { length: more }) => sum + more, text.length);
  if (length > maxPayload) throw new RangeError(`a record of ${length} bytes is too large`);
  const frame = Buffer.allocUnsafe(headLength + length);
  text.copy(frame, headLength);
  let at = headLength + text.length;
  const masks = records.flatMap((record) => (record.op === 'content' ? [record.mask] : []));
  for (const [i, bytes] of contents.entries()) {
    frame.set(bytes, at);
    combine(frame.subarray(at, at + bytes.length), masks[i] ?? 0);
    at += bytes.length;
  }
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(text.length, 8);
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
  return frame;
}

/** The generations that are there, oldest first. */
export async function journalGenerations(dir: string): Promise<number[]> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return names
    .flatMap((name) => /^journal-([0-9]+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** A record of content, and where in the generation its bytes are, if it has any. */
export type LocatedContent = ContentRecord & { at: number };

export interface ReadJournal {
  records: JournalRecord[][];
  contents: LocatedContent[];
  /** Bytes up to the end of the last good record. */
  length: number;
  /** Parts that are not records but have records behind them. */
  damaged: Buffer[];
  /** Where the last good record begins, and its first bytes: they tell whether it is still the same one. */
  last: { at: number; head: Buffer };
}

/** Reads a generation. A torn end is what a crash leaves; damage before good records is not. */
export async function readJournal(dir: string, generation: number): Promise<ReadJournal> {
  const bytes = await readWhole(journalPath(dir, generation));
  const none = { records: [], contents: [], damaged: [] };
  if (bytes.length < magic.length) return { ...none, length: 0, last: { at: 0, head: bytes } };
  const last = { at: 0, head: Buffer.from(bytes.subarray(0, headLength)) };
  const isWhole = bytes.subarray(0, magic.length).equals(magic);
  return readFrames(bytes, 0, { ...none, length: magic.length, last }, isWhole ? undefined : 0);
}

/**
 * Reads what has been added to a generation since it was read.
 *
 * @returns undefined if it is not the same any more: something was taken back from its end
 */
export async function readMore(
  dir: string,
  generation: number,
  { length, last }: ReadJournal,
): Promise<ReadJournal | undefined> {
  const handle = await open(journalPath(dir, generation), 'r');
  try {
    const { size } = await handle.stat();
    if (size < length) return undefined;
    const bytes = Buffer.alloc(size - last.at);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, last.at);
    const isSame = bytesRead >= length - last.at && bytes.subarray(0, last.head.length).equals(last.head);
    if (!isSame || length < magic.length) return undefined;
    const none = { records: [], contents: [], damaged: [] };
    return readFrames(bytes.subarray(0, bytesRead), last.at, { ...none, length, last }, undefined);
  } finally {
    await handle.close();
  }
}

/**
 * @param from where in the generation `bytes` begin
 * @param badFrom where damage begins that is known already
 */
function readFrames(bytes: Buffer, from: number, before: ReadJournal, badFrom: number | undefined): ReadJournal {
  const found = { ...before };
  for (let at = found.length - from; at + headLength <= bytes.length;) {
    const frame = frameAt(bytes, at);
    if (frame === undefined) {
      badFrom ??= at;
      at++;
      continue;
    }
    if (badFrom !== undefined) found.damaged.push(bytes.subarray(badFrom, at));
    badFrom = undefined;
    found.last = { at: from + at, head: Buffer.from(bytes.subarray(at, at + headLength)) };
    found.records.push(frame.records.filter(isOfRepository));
    found.contents.push(...contentsOf(frame, from + at));
    at = frame.end;
    found.length = from + at;
  }
  return found;
}

interface Frame {
  records: (JournalRecord | ContentRecord)[];
  /** Where its contents begin, from its own beginning. */
  contentsAt: number;
  /** Where the next one begins. */
  end: number;
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  const length = bytes.readUInt32LE(at);
  const textLength = bytes.readUInt32LE(at + 8);
  const end = at + headLength + length;
  if (length < 2 || length > maxPayload || textLength > length || end > bytes.length) return undefined;
  if (crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4)) return undefined;
  try {
    const text = bytes.toString('utf8', at + headLength, at + headLength + textLength);
    return { records: JSON.parse(text) as Frame['records'], contentsAt: headLength + textLength, end };
  } catch {
    return undefined;
  }
}

function contentsOf({ records, contentsAt }: Frame, frameStart: number): LocatedContent[] {
  let at = frameStart + contentsAt;
  return records.flatMap((record) => {
    if (isOfRepository(record)) return [];
    const found = { ...record, at };
    if (record.op === 'content') at += record.size;
    return [found];
  });
}

function isOfRepository(record: JournalRecord | ContentRecord): record is JournalRecord {
  return record.op !== 'content' && record.op !== 'removed';
}

/** Where a journal has the bytes of a file. */
export interface JournalPlace {
  generation: number;
  at: number;
}

/**
 * The bytes that {@link LocatedContent} speaks of.
 *
 * @returns undefined if they are not there any more: another journal may have the name by now, and other bytes
 */
export function readContent(
  dir: string,
  { generation, at, digest, size, mask }: JournalPlace & { digest: Digest; size: number; mask: number },
): Uint8Array | undefined {
  const bytes = Buffer.alloc(size);
  try {
    // There may be tens of thousands to read, and a thread takes ten times as long for each.
    const file = openSync(journalPath(dir, generation), 'r');
    try {
      readSync(file, bytes, 0, size, at);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  combine(bytes, mask);
  return digestOf(bytes, splitDigest(digest).algorithm) === digest ? bytes : undefined;
}

/** Takes away what a crash left behind the last good record, so that something can be added. */
export async function truncateJournal(dir: string, generation: number, length: number): Promise<void> {
  await truncate(journalPath(dir, generation), length);
}

/** Keeps what could not be read, for whoever wants to look. */
export async function quarantine(dir: string, generation: number, damaged: readonly Buffer[]): Promise<string> {
  const path = join(dir, `quarantine-${generation}-${Date.now()}`);
  await writeFile(path, Buffer.concat(damaged));
  return path;
}

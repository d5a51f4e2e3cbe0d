// The format of a journal file: encoding frames of records, and reading them after a crash.
import { closeSync, openSync, readSync } from 'node:fs';
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { isMissing } from '../../disk/index.ts';
import { digestOf, splitDigest } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import { entriesOf, noFollow, openRegular, pooledRandomBytes, readWhole } from '../files/index.ts';

/**
 * A change to a repository. Records are absolute: applying one again changes nothing, so a journal can always be
 * replayed from its start.
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
      /** Content that it names and the repository does not own; `*`: all of it. Only in a shared layout. */
      unowned?: readonly Digest[] | '*' | undefined;
    }
  /** `disowned`: manifests that still name it have to say that the repository does not own it. */
  | { op: 'unmanifest'; repository: string; digest: Digest; disowned?: true | undefined }
  | { op: 'blob'; repository: string; digest: Digest; size: number }
  | { op: 'unblob'; repository: string; digest: Digest; disowned?: true | undefined }
  /** The index of this directory has this sha256 and contains all records up to here. */
  | { op: 'folded'; directory: string; sha256: string }
  /**
   * The records after this one, for this directory, extend an index with this sha256; empty if there was no index.
   */
  | { op: 'base'; directory: string; sha256: string };

/** How a record moves a tag. */
export interface RecordedMove {
  /** Unique for each move. */
  id: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** The digest that the tag had before; left out if the tag is new. */
  previous?: Digest | undefined;
  /** The name of the caller, if the request had one. */
  caller?: string | undefined;
}

/** A record that moves a tag. */
export type TagMoveRecord = Extract<JournalRecord, { tag: string }> & { move: RecordedMove };

/** A change to a file. The journal holds the bytes of small files until the files themselves are durable. */
export type ContentRecord =
  /** The file of this digest has these bytes. They follow the records, masked; see {@link randomMask}. */
  | { op: 'content'; directory: string; digest: Digest; size: number; mask: number }
  /** The file was removed; earlier records about it no longer count. */
  | { op: 'removed'; directory: string; digest: Digest };

const magic = Buffer.from('ocikit journal 3\n');
const headLength = 12;
const wordLength = 4;
const maxPayload = 16 * 1024 * 1024;

/** The first bytes of every journal file. */
export const journalMagic: Uint8Array = magic;

/** The path of a generation's file. */
export function journalPath(dir: string, generation: number): string {
  return join(dir, `journal-${generation}`);
}

/**
 * A number that the bytes of a small file are XORed with, four bytes at a time. Reading a damaged journal searches
 * all bytes for records, so a client must not be able to push bytes that look like a record.
 */
export function randomMask(): number {
  return pooledRandomBytes(4).readUInt32LE();
}

/** XORs bytes with a mask, in place. A second call restores them. */
function combine(bytes: Uint8Array, mask: number): void {
  const count = bytes.byteOffset % wordLength === 0 ? Math.floor(bytes.length / wordLength) : 0;
  const words = new Uint32Array(bytes.buffer, count === 0 ? 0 : bytes.byteOffset, count);
  for (let i = 0; i < count; i++) words[i] = (words[i] ?? 0) ^ mask;
  const parts = new Uint8Array(Uint32Array.of(mask).buffer);
  for (let i = count * wordLength; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ (parts[i % wordLength] ?? 0);
}

/**
 * Encodes a frame: the length of everything after the 12-byte head, a checksum, the length of the records' text, the
 * records, and the bytes of the small files.
 *
 * @param contents the bytes of each `content` record, in their order
 */
export function encodeFrame(
  records: readonly (JournalRecord | ContentRecord)[],
  contents: readonly Uint8Array[] = [],
): Buffer {
  const json = JSON.stringify(records);
  const textLength = Buffer.byteLength(json);
  // Trailing spaces align the first content to a word.
  const text = Buffer.from(contents.length === 0 ? json : json.padEnd(json.length + (-textLength & (wordLength - 1))));
  const length = contents.reduce((sum, { length: more }) => sum + more, text.length);
  if (length > maxPayload)
    throw new RangeError(`a record of ${length} bytes is too large: at most ${maxPayload} are allowed`);
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

/** The numbers of the journal files in a directory, oldest first. */
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

/** A record about a file, and the offset of its bytes in the generation, if it has any. */
export type LocatedContent = ContentRecord & { at: number };

/** The result of reading a journal file. */
export interface ReadJournal {
  /** The records about repositories, by frame. */
  records: JournalRecord[][];
  /** The records about files. */
  contents: LocatedContent[];
  /** Bytes up to the end of the last good record. */
  length: number;
  /** Damaged parts that have good records after them. */
  damaged: Buffer[];
  /** The last good frame: its offset and its first bytes. They tell whether the file is still the same. */
  last: { at: number; head: Buffer };
}

/** Reads one journal file. A torn end is normal after a crash. Damage before good records is not, and is reported. */
export async function readJournal(dir: string, generation: number): Promise<ReadJournal> {
  const bytes = await readWhole(journalPath(dir, generation));
  const none = { records: [], contents: [], damaged: [] };
  if (bytes.length < magic.length) return { ...none, length: 0, last: { at: 0, head: bytes } };
  const last = { at: 0, head: Buffer.from(bytes.subarray(0, headLength)) };
  const isWhole = bytes.subarray(0, magic.length).equals(magic);
  const journal = readFrames(bytes, 0, { ...none, length: magic.length, last }, isWhole ? undefined : 0);
  // After a loss of power, a new file may be all zeros. A file of anything else was a journal, or is none.
  const isLost = !isWhole && journal.records.length === 0 && bytes.some((byte) => byte !== 0);
  return isLost ? { ...journal, damaged: [bytes] } : journal;
}

/**
 * Reads the records that were added since an earlier read.
 *
 * @returns undefined if the file has changed in another way: records were taken back, or the file was replaced
 */
export async function readMore(
  dir: string,
  generation: number,
  { length, last }: ReadJournal,
): Promise<ReadJournal | undefined> {
  const handle = await openRegular(journalPath(dir, generation), noFollow);
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
 * Reads frames up to the end of `bytes`.
 *
 * @param from the offset of `bytes` in the generation
 * @param badFrom the offset of damage that is known already
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
  /** The offset of the file contents, from the start of the frame. */
  contentsAt: number;
  /** The offset of the next frame. */
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

/** A place in the journal where the bytes of a file begin. */
export interface JournalPlace {
  /** The number of the journal. */
  generation: number;
  /** The offset in the file. */
  at: number;
}

/**
 * Reads the bytes of a small file from a journal.
 *
 * @returns undefined if they are no longer there: the journal may have been removed, or replaced by one with other
 *   bytes
 */
export function readContent(
  dir: string,
  { generation, at, digest, size, mask }: JournalPlace & { digest: Digest; size: number; mask: number },
): Uint8Array | undefined {
  const bytes = Buffer.alloc(size);
  try {
    // Synchronous: there may be tens of thousands of these, and a thread takes ten times as long for each.
    const file = openSync(journalPath(dir, generation), noFollow);
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

/** Cuts off an incomplete record that a crash left, so that records can be appended. */
export async function truncateJournal(dir: string, generation: number, length: number): Promise<void> {
  await truncate(journalPath(dir, generation), length);
}

/** The files that {@link quarantine} has written. */
export async function quarantined(dir: string): Promise<string[]> {
  const names = (await entriesOf(dir)).map(({ name }) => name);
  return names.filter((name) => /^quarantine-[0-9]+-[0-9]+$/.test(name)).map((name) => join(dir, name));
}

/** Saves damaged bytes in a file of their own, so that the operator can look at them. */
export async function quarantine(dir: string, generation: number, damaged: readonly Buffer[]): Promise<string> {
  const path = join(dir, `quarantine-${generation}-${Date.now()}`);
  await writeFile(path, Buffer.concat(damaged), { flag: 'wx', mode: 0o600 });
  return path;
}

import { constants, writeSync } from 'node:fs';
import { open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import type { Descriptor, Digest } from '../../model/index.ts';

import { isMissing, readWhole } from './files.ts';
import type { Files } from './files.ts';

/**
 * What happened to a repository. Absolute: applied twice, or to something that has it already, it changes nothing, so
 * a journal can always be replayed from its start.
 */
export type JournalRecord =
  | { op: 'tag'; repository: string; tag: string; digest: Digest }
  | { op: 'untag'; repository: string; tag: string }
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

const magic = Buffer.from('ocikit journal 1\n');
const headLength = 8;
const maxRecord = 16 * 1024 * 1024;

interface Outcome {
  /** Makes visible what is durable now. */
  apply: () => void;
  /** Takes back what was noted when it was queued. */
  undo: () => void;
}

interface QueuedRecords extends Outcome {
  frame: Buffer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Is done when all that was queued before it has been written or has failed. */
interface QueuedStep {
  frame?: undefined;
  run: () => void;
}

/**
 * Records that one write and one sync make durable for everybody who waits. Each is made visible, in order, only then.
 */
export class Journal {
  readonly #dir: string;
  readonly #files: Files;
  readonly #assertOwned: () => void;
  #generation: number;
  #handle: FileHandle | undefined;
  /** Bytes of the generation that are whole and acknowledged. */
  #length = 0;
  #queue: (QueuedRecords | QueuedStep)[] = [];
  #flushing: Promise<void> | undefined;
  #broken = false;

  /**
   * @param generation the first one to write
   * @param assertOwned throws if the directory is no longer this process's
   */
  constructor(dir: string, files: Files, generation: number, assertOwned: () => void) {
    this.#dir = dir;
    this.#files = files;
    this.#generation = generation;
    this.#assertOwned = assertOwned;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Bytes. */
  get length(): number {
    return this.#length;
  }

  /** True if a sync failed: what the file holds is not known, and only a new generation is safe. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /**
   * Makes records durable, all or none, and then runs `apply`; or `undo`, in the same step for all that fail together.
   *
   * @returns when that has happened
   */
  append(records: readonly JournalRecord[], { apply, undo }: Outcome): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ frame: encodeFrame(records), apply, undo, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /**
   * Goes on in a new generation, after what is queued now.
   *
   * @param then runs in the same step: what is written after it is in the new generation
   * @returns the frozen generation; undefined if nothing was written to it
   */
  async rotate(then: () => void): Promise<number | undefined> {
    let frozen: number | undefined;
    let handle: FileHandle | undefined;
    const rotate = (): void => {
      handle = this.#handle;
      if (handle !== undefined) frozen = this.#generation++;
      this.#handle = undefined;
      this.#length = 0;
      this.#broken = false;
      then();
    };
    if (this.#flushing === undefined) {
      rotate();
    } else {
      await new Promise<void>((resolve) => {
        const run = (): void => {
          rotate();
          resolve();
        };
        this.#queue.push({ run });
      });
    }
    await handle?.close();
    return frozen;
  }

  /** Adds a record to a frozen generation. */
  async appendTo(generation: number, record: JournalRecord): Promise<void> {
    this.#assertOwned();
    const handle = await open(fileOf(this.#dir, generation), constants.O_WRONLY | constants.O_APPEND);
    try {
      await handle.writeFile(encodeFrame([record]));
      await this.#files.syncData(handle);
    } finally {
      await handle.close();
    }
  }

  async remove(generation: number): Promise<void> {
    this.#assertOwned();
    await rm(fileOf(this.#dir, generation), { force: true });
    // One that comes back after its successors have gone would undo what they said.
    await this.#files.syncDirectory(this.#dir);
  }

  async close(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing.catch(() => undefined);
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #flush(): Promise<void> {
    // What is asked for in the same turn goes into the same group.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) {
        const group = this.#nextGroup();
        try {
          await this.#write(Buffer.concat(group.map(({ frame }) => frame)));
        } catch (error) {
          // What was queued meanwhile was judged by what has now failed.
          const failed = [...group, ...this.#queue.filter(hasFrame)];
          this.#queue = this.#queue.filter((queued) => !hasFrame(queued));
          for (const { undo } of failed) undo();
          for (const { reject } of failed) reject(error);
          continue;
        }
        for (const { apply, resolve } of group) {
          apply();
          resolve();
        }
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  /** What can be written together. Does what has its turn before that. */
  #nextGroup(): QueuedRecords[] {
    const group: QueuedRecords[] = [];
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (hasFrame(next)) {
        group.push(next);
      } else if (group.length === 0) {
        next.run();
      } else {
        this.#queue.unshift(next);
        break;
      }
    }
    return group;
  }

  async #write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    this.#assertOwned();
    if (this.#broken) throw new Error('the journal could not be synchronised, and is being replaced');
    const handle = await this.#open();
    try {
      for (let at = 0; at < bytes.length;) {
        // Into the kernel's memory: handing that to a thread takes longer.
        at += writeSync(handle.fd, bytes, at, bytes.length - at, this.#length + at);
      }
    } catch (error) {
      await handle.truncate(this.#length).catch(() => {
        this.#broken = true;
      });
      throw error;
    }
    try {
      await this.#files.syncData(handle);
    } catch (error) {
      // The kernel may have dropped what it could not write, and a second sync would say that all is well.
      this.#broken = true;
      // What is refused must not come back with the next start, if that comes before the new generation.
      await handle.truncate(this.#length).catch(() => undefined);
      throw error;
    }
    this.#length += bytes.length;
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    await this.#files.makeDirectory(this.#dir);
    // What an attempt that failed left has no record in it.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
    const handle = await open(fileOf(this.#dir, this.#generation), flags, 0o644);
    try {
      await handle.writeFile(magic);
      await this.#files.syncDirectory(this.#dir);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    this.#length = magic.length;
    return handle;
  }
}

function hasFrame(queued: QueuedRecords | QueuedStep): queued is QueuedRecords {
  return queued.frame !== undefined;
}

function fileOf(dir: string, generation: number): string {
  return join(dir, `journal-${generation}`);
}

export function encodeFrame(records: readonly JournalRecord[]): Buffer {
  const payload = Buffer.from(JSON.stringify(records));
  if (payload.length > maxRecord) throw new RangeError(`a record of ${payload.length} bytes is too large`);
  const frame = Buffer.allocUnsafe(headLength + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(payload), 4);
  payload.copy(frame, headLength);
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

export interface ReadJournal {
  records: JournalRecord[][];
  /** Bytes up to the end of the last good record. */
  length: number;
  /** Parts that are not records but have records behind them. */
  damaged: Buffer[];
  /** Where the last good record begins, and its first bytes: they tell whether it is still the same one. */
  last: { at: number; head: Buffer };
}

/** Reads a generation. A torn end is what a crash leaves; damage before good records is not. */
export async function readJournal(dir: string, generation: number): Promise<ReadJournal> {
  const bytes = await readWhole(fileOf(dir, generation));
  if (bytes.length < magic.length) return { records: [], length: 0, damaged: [], last: { at: 0, head: bytes } };
  const head = Buffer.from(bytes.subarray(0, headLength));
  const isWhole = bytes.subarray(0, magic.length).equals(magic);
  const found = { records: [], length: magic.length, damaged: [], last: { at: 0, head } };
  return readRecords(bytes, found, isWhole ? undefined : 0);
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
  const handle = await open(fileOf(dir, generation), 'r');
  try {
    const { size } = await handle.stat();
    if (size < length) return undefined;
    const bytes = Buffer.alloc(size - last.at);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, last.at);
    const isSame = bytesRead >= length - last.at && bytes.subarray(0, last.head.length).equals(last.head);
    if (!isSame || length < magic.length) return undefined;
    const found = { records: [], length: length - last.at, damaged: [], last: { at: 0, head: last.head } };
    const more = readRecords(bytes.subarray(0, bytesRead), found, undefined);
    return { ...more, length: more.length + last.at, last: { at: more.last.at + last.at, head: more.last.head } };
  } finally {
    await handle.close();
  }
}

/** @param badFrom where damage begins that is known already */
function readRecords(bytes: Buffer, before: ReadJournal, badFrom: number | undefined): ReadJournal {
  const found = { ...before };
  for (let at = found.length; at + headLength <= bytes.length;) {
    const records = frameAt(bytes, at);
    if (records === undefined) {
      badFrom ??= at;
      at++;
      continue;
    }
    if (badFrom !== undefined) found.damaged.push(bytes.subarray(badFrom, at));
    badFrom = undefined;
    found.last = { at, head: Buffer.from(bytes.subarray(at, at + headLength)) };
    at += headLength + bytes.readUInt32LE(at);
    found.records.push(records);
    found.length = at;
  }
  return found;
}

function frameAt(bytes: Buffer, at: number): JournalRecord[] | undefined {
  const length = bytes.readUInt32LE(at);
  if (length < 2 || length > maxRecord || at + headLength + length > bytes.length) return undefined;
  const payload = bytes.subarray(at + headLength, at + headLength + length);
  if (crc32(payload) !== bytes.readUInt32LE(at + 4)) return undefined;
  try {
    return JSON.parse(payload.toString()) as JournalRecord[];
  } catch {
    return undefined;
  }
}

/** Takes away what a crash left behind the last good record, so that something can be added. */
export async function truncateJournal(dir: string, generation: number, length: number): Promise<void> {
  await truncate(fileOf(dir, generation), length);
}

/** Keeps what could not be read, for whoever wants to look. */
export async function quarantine(dir: string, generation: number, damaged: readonly Buffer[]): Promise<string> {
  const path = join(dir, `quarantine-${generation}-${Date.now()}`);
  await writeFile(path, Buffer.concat(damaged));
  return path;
}

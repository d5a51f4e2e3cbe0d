// The history of tags on disk: two append-only files per layout.
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { hasCode } from '../../disk/index.ts';
import { RegistryError } from '../../../model/index.ts';

import { nameOfLayout, noFollow, TimeSlice } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import type { JournalRecord, TagMoveRecord } from './journal-file.ts';

/** Bytes. A larger file becomes the older file, which replaces the previous older file. */
const largestFile = 8 * 1024 * 1024;
/** Flags. Neither a link is followed nor a FIFO waited for. */
const appendable = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const blockLength = 64 * 1024;
const lineFeed = 10;

/**
 * How the tags of layouts moved. A new move is only in the journal, which makes the move and its time durable in one
 * write. Before a generation of the journal is removed, its moves are appended to the layout's file, one JSON text
 * per line.
 */
export class HistoryFiles {
  readonly #dir: string;
  readonly #files: Files;
  readonly #largest: number;
  /**
   * Moves that are in the journal, by the layout's directory, oldest first. Some or all may be in the files as well.
   */
  readonly #pending = new Map<string, TagMoveRecord[]>();

  /** @param dir the directory of the files */
  constructor(dir: string, files: Files, largest: number = largestFile) {
    this.#dir = dir;
    this.#files = files;
    this.#largest = largest;
  }

  /** Notes the tag moves among records that are now in the journal. */
  note(directory: string, records: readonly JournalRecord[]): void {
    const moves = records.filter(isMoved);
    if (moves.length === 0) return;
    const pending = this.#pending.get(directory);
    if (pending === undefined) this.#pending.set(directory, moves);
    else pending.push(...moves);
  }

  /** The moves of a layout that were noted since the last {@link flush}, oldest first. */
  pending(directory: string): readonly TagMoveRecord[] {
    return this.#pending.get(directory) ?? [];
  }

  /**
   * Writes all noted moves to the files, so that the journal is not needed for them. After a failure they are still
   * in the journal, and the call can be repeated.
   */
  async flush(): Promise<void> {
    for (const [directory, pending] of this.#pending) {
      const moves = [...pending];
      await this.append(directory, moves);
      pending.splice(0, moves.length);
      if (pending.length === 0) this.#pending.delete(directory);
    }
  }

  /**
   * Appends tag moves to the files of a layout.
   *
   * @param records the records of a journal, oldest first. After a crash, the first may be in the files already
   */
  async append(directory: string, records: readonly JournalRecord[]): Promise<void> {
    const moves = records.filter(isMoved);
    if (moves.length === 0) return;
    await this.#files.makeDirectory(this.#dir);
    const [path, older] = this.#paths(directory);
    const last = await this.#lastOf(directory);
    const known = moves.findLastIndex(({ move }) => move.id === last);
    if (fileSize(path) >= this.#largest) await rename(path, older);
    const handle = await open(path, appendable, 0o600);
    try {
      assertFile(path, handle.fd);
      const end = wholeLength(handle.fd);
      // A crash can leave an incomplete last line.
      await handle.truncate(end);
      try {
        const lines = moves.slice(known + 1).map((move) => `${JSON.stringify(move)}\n`);
        const bytes = Buffer.from(lines.join(''));
        for (let at = 0; at < bytes.length;) {
          at += (await handle.write(bytes, at, bytes.length - at, end + at)).bytesWritten;
        }
        // This also syncs earlier lines, which may not be durable.
        await this.#files.syncData(handle);
      } catch (error) {
        await handle.truncate(end).catch(() => undefined);
        throw error;
      }
    } finally {
      await handle.close();
    }
    await this.#files.syncDirectory(this.#dir);
  }

  /**
   * The moves of a layout, newest first. The files are read from their end, as far as the caller reads.
   *
   * @param newest the moves that are in the journal now, oldest first
   */
  async *newestFirst(
    directory: string,
    newest: () => Promise<readonly JournalRecord[]> | readonly JournalRecord[],
  ): AsyncGenerator<TagMoveRecord, void, undefined> {
    for (;;) {
      const files = this.#openFiles(directory);
      try {
        const pending = (await newest()).filter(isMoved);
        // A move that was flushed in between would be in neither: read again.
        if (files.identity !== this.#identity(directory)) continue;
        const known = new Set(pending.map(({ move }) => move.id));
        yield* pending.toReversed();
        for await (const moved of movesIn(files.open)) if (!known.has(moved.move.id)) yield moved;
        return;
      } finally {
        for (const { fd } of files.open) closeSync(fd);
      }
    }
  }

  async #lastOf(directory: string): Promise<string | undefined> {
    const { open: files } = this.#openFiles(directory);
    try {
      for await (const { move } of movesIn(files)) return move.id;
      return undefined;
    } finally {
      for (const { fd } of files) closeSync(fd);
    }
  }

  /** Synchronous, so that no rename comes in between. */
  #openFiles(directory: string): { open: OpenFile[]; identity: string } {
    const identity = this.#identity(directory);
    const files: OpenFile[] = [];
    for (const path of this.#paths(directory)) {
      const fd = openIfThere(path);
      if (fd !== undefined) files.push({ fd, size: fstatSync(fd).size });
    }
    return { open: files, identity };
  }

  #identity(directory: string): string {
    const of = (path: string): string => {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false });
      return found === undefined ? '' : `${found.ino} ${found.size}`;
    };
    return this.#paths(directory).map(of).join(', ');
  }

  /** The paths of the newer and of the older file. */
  #paths(directory: string): [newer: string, older: string] {
    const name = join(this.#dir, nameOfLayout(directory));
    return [`${name}.jsonl`, `${name}.old.jsonl`];
  }
}

interface OpenFile {
  fd: number;
  size: number;
}

function isMoved(record: JournalRecord): record is TagMoveRecord {
  return (record.op === 'tag' || record.op === 'untag') && record.move !== undefined;
}

function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function openIfThere(path: string): number | undefined {
  try {
    const file = openSync(path, noFollow);
    try {
      assertFile(path, file);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    return file;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** @throws RegistryError UNAVAILABLE if an open file is no regular file */
function assertFile(path: string, fd: number): void {
  if (fstatSync(fd).isFile()) return;
  throw new RegistryError('UNAVAILABLE', `${path} is no regular file: remove it`);
}

/** Bytes up to the end of the last complete line. */
function wholeLength(fd: number): number {
  const { size } = fstatSync(fd);
  for (const line of linesFromEnd({ fd, size })) return size - line.length;
  return 0;
}

/** The moves of the files, from the end of the first file backwards. */
async function* movesIn(files: readonly OpenFile[]): AsyncGenerator<TagMoveRecord, void, undefined> {
  const slice = new TimeSlice();
  for (const file of files) {
    let isWhole = false;
    for (const line of linesFromEnd(file)) {
      const moved = isWhole ? parse(line) : undefined;
      // Text after the last line feed is incomplete: it is being written, or a crash cut it off.
      isWhole = true;
      if (moved !== undefined) yield moved;
      if (slice.isOver) await slice.giveWay();
    }
  }
}

/** Undefined if the line is damaged. */
function parse(line: Buffer): TagMoveRecord | undefined {
  try {
    const moved = JSON.parse(line.toString()) as Partial<TagMoveRecord> | null;
    return typeof moved?.move?.id === 'string' ? (moved as TagMoveRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** The text after each line feed, last one first. The first text is empty if the file ends with a line feed. */
function* linesFromEnd({ fd, size }: OpenFile): Generator<Buffer> {
  /** The start of a line whose end was in the block read before. */
  let rest: Buffer = Buffer.alloc(0);
  for (let at = size; at > 0;) {
    const length = Math.min(blockLength, at);
    at -= length;
    const block = Buffer.alloc(length);
    const read = readSync(fd, block, 0, length, at);
    const bytes = Buffer.concat([block.subarray(0, read), rest]);
    let end = bytes.length;
    for (let feed = lastFeed(bytes, end); feed >= 0; feed = lastFeed(bytes, end)) {
      yield bytes.subarray(feed + 1, end);
      end = feed;
    }
    rest = bytes.subarray(0, end);
  }
  yield rest;
}

function lastFeed(bytes: Buffer, end: number): number {
  return end === 0 ? -1 : bytes.lastIndexOf(lineFeed, end - 1);
}

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { hasCode, nameOfLayout, noFollow, TimeSlice } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import type { JournalRecord, TagMoveRecord } from './journal-file.ts';

/** Bytes after which another file is begun; the one before it is kept, and the one before that is not. */
const largestFile = 8 * 1024 * 1024;
const blockLength = 64 * 1024;
const lineFeed = 10;

/**
 * How the tags of layouts moved. The journal has what is new, as it makes a move and its time durable in one; before its
 * generations are removed, this goes to the end of a file of the layout, a JSON text on each line.
 */
export class HistoryFiles {
  readonly #dir: string;
  readonly #files: Files;
  readonly #largest: number;
  /** What is in the journal, by the layout's directory, oldest first: the files may have some of it, or all. */
  readonly #pending = new Map<string, TagMoveRecord[]>();

  /** @param dir of the files */
  constructor(dir: string, files: Files, largest: number = largestFile) {
    this.#dir = dir;
    this.#files = files;
    this.#largest = largest;
  }

  /** Notes those of the records that are moves. The journal has them. */
  note(directory: string, records: readonly JournalRecord[]): void {
    const moves = records.filter(isMoved);
    if (moves.length === 0) return;
    const pending = this.#pending.get(directory);
    if (pending === undefined) this.#pending.set(directory, moves);
    else pending.push(...moves);
  }

  /** What was noted of a layout since it was settled, oldest first. */
  pending(directory: string): readonly TagMoveRecord[] {
    return this.#pending.get(directory) ?? [];
  }

  /** Makes all that was noted independent of the journal. If it fails, it is still in there, and can be tried again. */
  async flush(): Promise<void> {
    for (const [directory, pending] of this.#pending) {
      const moves = [...pending];
      await this.append(directory, moves);
      pending.splice(0, moves.length);
      if (pending.length === 0) this.#pending.delete(directory);
    }
  }

  /**
   * Writes moves behind those that the files have.
   *
   * @param records of a journal, oldest first. The first of them may have been written, before a crash
   */
  async append(directory: string, records: readonly JournalRecord[]): Promise<void> {
    const moves = records.filter(isMoved);
    if (moves.length === 0) return;
    await this.#files.makeDirectory(this.#dir);
    const [path, older] = this.#paths(directory);
    const last = await this.#lastOf(directory);
    const known = moves.findLastIndex(({ move }) => move.id === last);
    if (sizeOf(path) >= this.#largest) await rename(path, older);
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    try {
      const end = wholeLength(handle.fd);
      // Half a line is what a crash left.
      await handle.truncate(end);
      try {
        const lines = moves.slice(known + 1).map((move) => `${JSON.stringify(move)}\n`);
        const bytes = Buffer.from(lines.join(''));
        for (let at = 0; at < bytes.length;) {
          at += (await handle.write(bytes, at, bytes.length - at, end + at)).bytesWritten;
        }
        // Also what was written before, as nobody knows whether that is durable.
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
   * The moves of a layout, newest first. Reads what is asked for, from the end of the files.
   *
   * @param newest those that the journal has now, oldest first
   */
  async *newestFirst(
    directory: string,
    newest: () => Promise<readonly JournalRecord[]> | readonly JournalRecord[],
  ): AsyncGenerator<TagMoveRecord, void, undefined> {
    for (;;) {
      const files = this.#openFiles(directory);
      try {
        const pending = (await newest()).filter(isMoved);
        // What was settled in between would be in neither.
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

  /** In one step, so that nobody moves one meanwhile. */
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

  /** Of the newer file, and of the older one. */
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

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, noFollow);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Bytes up to the end of the last whole line. */
function wholeLength(fd: number): number {
  const { size } = fstatSync(fd);
  for (const line of linesFromEnd({ fd, size })) return size - line.length;
  return 0;
}

/** From the end of the first file on. */
async function* movesIn(files: readonly OpenFile[]): AsyncGenerator<TagMoveRecord, void, undefined> {
  const slice = new TimeSlice();
  for (const file of files) {
    let isWhole = false;
    for (const line of linesFromEnd(file)) {
      const moved = isWhole ? parse(line) : undefined;
      // What comes behind the last line feed is being written, or was not written to its end.
      isWhole = true;
      if (moved !== undefined) yield moved;
      if (slice.isOver) await slice.giveWay();
    }
  }
}

/** Undefined if it is damaged. */
function parse(line: Buffer): TagMoveRecord | undefined {
  try {
    const moved = JSON.parse(line.toString()) as Partial<TagMoveRecord> | null;
    return typeof moved?.move?.id === 'string' ? (moved as TagMoveRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** What comes behind each line feed, the last first; so the first is empty if the file ends with a line feed. */
function* linesFromEnd({ fd, size }: OpenFile): Generator<Buffer> {
  /** The line that begins in a block before. */
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

// Appending to the journal: one write and one sync for all records that wait at that moment.
import { constants, writeSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import type { Files } from '../files/index.ts';

import { encodeFrame, journalMagic, journalPath } from './journal-file.ts';
import type { ContentRecord, JournalPlace, JournalRecord } from './journal-file.ts';

/** Records that are written together, all or none. */
export interface Entry {
  /** Records about repositories and files. */
  records: readonly (JournalRecord | ContentRecord)[];
  /** The bytes of each `content` record, in their order. */
  contents?: readonly Uint8Array[] | undefined;
}

/** Callbacks for the result of an append. */
export interface Outcome {
  /**
   * Makes durable records visible. If it throws, the append fails and the journal counts as broken.
   *
   * @param place the place of the first content
   */
  apply: (place: JournalPlace) => void;
  /** Undoes what was noted when the records were queued. */
  undo: () => void;
}

interface QueuedRecords extends Outcome {
  frame: Buffer;
  contentLength: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** A step that runs after everything queued before it has been written or has failed. */
interface QueuedStep {
  frame?: undefined;
  run: () => void;
}

/**
 * A journal of records. One write and one sync make all waiting records durable. Each is made visible only then, in
 * order.
 */
export class Journal {
  readonly #dir: string;
  readonly #files: Files;
  readonly #assertOwned: () => void;
  #generation: number;
  #handle: FileHandle | undefined;
  /** Bytes of the generation that are complete and acknowledged. */
  #length = 0;
  /** Bytes of these that are contents of small files. */
  #contentLength = 0;
  #queue: (QueuedRecords | QueuedStep)[] = [];
  #flushing: Promise<void> | undefined;
  #broken = false;

  /**
   * @param generation the first one to write
   * @param assertOwned throws if another process has taken the directory's lock
   */
  constructor(dir: string, files: Files, generation: number, assertOwned: () => void) {
    this.#dir = dir;
    this.#files = files;
    this.#generation = generation;
    this.#assertOwned = assertOwned;
  }

  /** The number of the generation that is written now. */
  get generation(): number {
    return this.#generation;
  }

  /** Bytes of the current generation. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of the current generation that are contents of small files. */
  get contentLength(): number {
    return this.#contentLength;
  }

  /**
   * True if a sync failed, so that the content of the file is unknown, or if a durable record could not be made
   * visible. Only a new generation is safe then.
   */
  get isBroken(): boolean {
    return this.#broken;
  }

  /**
   * Makes records durable, all or none, and then runs `apply`. On failure it runs `undo`, in one step for all records
   * that fail together.
   *
   * @returns when `apply` or `undo` has run
   */
  append({ records, contents = [] }: Entry, { apply, undo }: Outcome): Promise<void> {
    return new Promise((resolve, reject) => {
      const frame = encodeFrame(records, contents);
      const contentLength = contents.reduce((sum, { length }) => sum + length, 0);
      this.#queue.push({ frame, contentLength, apply, undo, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /**
   * Starts a new generation, after everything queued now.
   *
   * @param then runs in the same step: later records are in the new generation
   * @returns the frozen generation; undefined if it has no records
   */
  async rotate(then: () => void): Promise<number | undefined> {
    let frozen: number | undefined;
    let handle: FileHandle | undefined;
    const rotate = (): void => {
      handle = this.#handle;
      if (handle !== undefined) frozen = this.#generation++;
      this.#handle = undefined;
      this.#length = 0;
      this.#contentLength = 0;
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

  /** Appends a record to a frozen generation. */
  async appendTo(generation: number, record: JournalRecord): Promise<void> {
    this.#assertOwned();
    const handle = await open(journalPath(this.#dir, generation), constants.O_WRONLY | constants.O_APPEND);
    try {
      await handle.writeFile(encodeFrame([record]));
      await this.#files.syncData(handle);
    } finally {
      await handle.close();
    }
  }

  /** Removes a frozen generation, durably. */
  async remove(generation: number): Promise<void> {
    this.#assertOwned();
    await rm(journalPath(this.#dir, generation), { force: true });
    // A removed journal that comes back after a crash, without its successors, would undo their changes.
    await this.#files.syncDirectory(this.#dir);
  }

  /** Waits for queued records and closes the file. */
  async close(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing.catch(() => undefined);
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #flush(): Promise<void> {
    // Collect everything that is appended in the same turn.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) {
        const group = this.#nextGroup();
        let at = this.#length === 0 ? journalMagic.length : this.#length;
        try {
          const [only] = group;
          const isOne = only !== undefined && group.length === 1;
          await this.#write(isOne ? only.frame : Buffer.concat(group.map(({ frame }) => frame)));
        } catch (error) {
          // Records that were queued meanwhile were checked against the failed ones, so they fail as well.
          const failed = [...group, ...this.#queue.filter(hasFrame)];
          this.#queue = this.#queue.filter((queued) => !hasFrame(queued));
          for (const { undo } of failed) undo();
          for (const { reject } of failed) reject(error);
          continue;
        }
        for (const { frame, contentLength, apply, resolve, reject } of group) {
          at += frame.length;
          this.#contentLength += contentLength;
          try {
            apply({ generation: this.#generation, at: at - contentLength });
            resolve();
          } catch (error) {
            // The record is durable, so the next start would apply it, although this call fails.
            this.#broken = true;
            reject(error);
          }
        }
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  /** Takes the next records that can be written together. Runs the queued steps before them. */
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
    if (this.#broken) throw new Error('a write to the journal failed, and the journal is being replaced: try again');
    const handle = await this.#open();
    try {
      for (let at = 0; at < bytes.length;) {
        // Synchronous: it only copies into the kernel's memory, and a thread would take longer.
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
      // The kernel may have dropped unwritten pages, and a second sync would wrongly succeed.
      this.#broken = true;
      // A refused record must not come back if the process restarts before the new generation.
      await handle.truncate(this.#length).catch(() => undefined);
      throw error;
    }
    this.#length += bytes.length;
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    await this.#files.makeDirectory(this.#dir);
    // A file that a failed attempt left has no records.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
    const handle = await open(journalPath(this.#dir, this.#generation), flags, 0o644);
    try {
      await handle.writeFile(journalMagic);
      await this.#files.syncDirectory(this.#dir);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    this.#length = journalMagic.length;
    return handle;
  }
}

function hasFrame(queued: QueuedRecords | QueuedStep): queued is QueuedRecords {
  return queued.frame !== undefined;
}

import { constants, writeSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import type { Files } from '../files/index.ts';

import { encodeFrame, journalMagic, journalPath } from './journal-file.ts';
import type { ContentRecord, JournalPlace, JournalRecord } from './journal-file.ts';

/** What is to be written together. */
export interface Entry {
  records: readonly (JournalRecord | ContentRecord)[];
  /** The bytes of the records of content, in their order. */
  contents?: readonly Uint8Array[] | undefined;
}

export interface Outcome {
  /**
   * Makes visible what is durable now. If it throws, so does the call, and the journal is broken.
   *
   * @param place of the first content
   */
  apply: (place: JournalPlace) => void;
  /** Takes back what was noted when it was queued. */
  undo: () => void;
}

interface QueuedRecords extends Outcome {
  frame: Buffer;
  contentLength: number;
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
  /** Bytes of them that are contents. */
  #contentLength = 0;
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

  /** Bytes of it that are contents. */
  get contentLength(): number {
    return this.#contentLength;
  }

  /**
   * True if a sync failed, so that what the file holds is not known, or if what is durable could not be made visible: only
   * a new generation is safe.
   */
  get isBroken(): boolean {
    return this.#broken;
  }

  /**
   * Makes records durable, all or none, and then runs `apply`; or `undo`, in the same step for all that fail together.
   *
   * @returns when that has happened
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

  /** Adds a record to a frozen generation. */
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

  async remove(generation: number): Promise<void> {
    this.#assertOwned();
    await rm(journalPath(this.#dir, generation), { force: true });
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
        let at = this.#length === 0 ? journalMagic.length : this.#length;
        try {
          const [only] = group;
          const isOne = only !== undefined && group.length === 1;
          await this.#write(isOne ? only.frame : Buffer.concat(group.map(({ frame }) => frame)));
        } catch (error) {
          // What was queued meanwhile was judged by what has now failed.
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
            // What it says would come back with the next start.
            this.#broken = true;
            reject(error);
          }
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
    if (this.#broken) throw new Error('the journal cannot be relied on, and is being replaced');
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

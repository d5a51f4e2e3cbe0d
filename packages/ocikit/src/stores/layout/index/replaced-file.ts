// An index file that has just been replaced, still open to notice late writes to it.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';

import { isMissing } from '../../disk/index.ts';
import { noFollow } from '../files/index.ts';

/**
 * A file that another one is about to replace. A tool that opened it before (skopeo empties an index and fills it
 * again) may still write to it, where no reader would find the result. Keeping it open makes such a write visible.
 */
export class ReplacedFile {
  readonly #file: number;
  readonly #stats: BigIntStats;

  private constructor(file: number) {
    this.#file = file;
    this.#stats = fstatSync(file, { bigint: true });
  }

  /** Opens a file; undefined if there is none. */
  static open(path: string): ReplacedFile | undefined {
    try {
      return new ReplacedFile(openSync(path, noFollow));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** The stats from when it was opened. */
  get stats(): BigIntStats {
    return this.#stats;
  }

  /** True if its content has changed since. `ctime` is no sign: it also changes when the file loses its name. */
  get hasChanged(): boolean {
    const { size, mtimeNs } = fstatSync(this.#file, { bigint: true });
    return size !== this.#stats.size || mtimeNs !== this.#stats.mtimeNs;
  }

  /** The bytes that the file has now. */
  read(): Buffer {
    const bytes = Buffer.alloc(Number(fstatSync(this.#file, { bigint: true }).size));
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(this.#file, bytes, length, bytes.length - length, length);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  }

  /** Closes the file; later writes to it are lost. */
  close(): void {
    closeSync(this.#file);
  }
}

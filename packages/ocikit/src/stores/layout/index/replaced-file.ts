import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';

import { isMissing, noFollow } from '../files/index.ts';

/**
 * A file that is about to lose its name to another one. Who opened it before and writes to it after that (skopeo
 * empties an index and fills it again) would write to a file that nobody can find any more: as long as this one is
 * open, it can be seen.
 */
export class ReplacedFile {
  readonly #file: number;
  readonly #stats: BigIntStats;

  private constructor(file: number) {
    this.#file = file;
    this.#stats = fstatSync(file, { bigint: true });
  }

  /** Undefined if there is none. */
  static open(path: string): ReplacedFile | undefined {
    try {
      return new ReplacedFile(openSync(path, noFollow));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** As it was when it was opened. */
  get stats(): BigIntStats {
    return this.#stats;
  }

  /** True if it has other content now. The time of its change is no sign: losing the name is one. */
  get hasChanged(): boolean {
    const { size, mtimeNs } = fstatSync(this.#file, { bigint: true });
    return size !== this.#stats.size || mtimeNs !== this.#stats.mtimeNs;
  }

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

  close(): void {
    closeSync(this.#file);
  }
}

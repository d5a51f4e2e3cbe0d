// Removing uploads that an earlier process left and no client resumed.
import { lstatSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing } from '../../disk/index.ts';
import type { Warn } from '../files/index.ts';

/** The directory to sweep, and when an upload counts as expired. */
export interface UploadSweepsOptions {
  /** The directory of upload files. */
  dir: string;
  /** Milliseconds without activity after which an upload is removed. */
  expiry: number;
  /** True if this process knows the upload, and expires it itself. */
  isInUse: (id: string) => boolean;
  /** Throws if another process has taken the lock. */
  assertOwned: () => void;
  /** Called if a sweep fails. */
  warn: Warn;
}

const shortestInterval = 1000;
const longestInterval = 60 * 60 * 1000;

/** Removes uploads that an earlier process left and no client resumes. The time of its file tells an upload's age. */
export class UploadSweeps {
  readonly #options: UploadSweepsOptions;
  /** Wall time when `performance.now()` was 0. Later changes of the clock then do not count. */
  readonly #origin = Date.now() - performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(options: UploadSweepsOptions) {
    this.#options = options;
  }

  /** Resolves after the first sweep. */
  async start(): Promise<void> {
    if (this.#timer !== undefined || this.#isOver) return;
    const { expiry } = this.#options;
    const interval = Math.min(Math.max(expiry / 4, shortestInterval), longestInterval);
    this.#timer = setInterval(() => void this.#sweepOrWarn(), interval);
    this.#timer.unref();
    await this.#sweepOrWarn();
  }

  /** Stops for good. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  async #sweepOrWarn(): Promise<void> {
    const { dir, warn } = this.#options;
    await this.sweep().catch((error: unknown) => warn('expired uploads cannot be removed', { directory: dir, error }));
  }

  /** Removes expired uploads once. */
  async sweep(): Promise<void> {
    const { dir, expiry, isInUse, assertOwned } = this.#options;
    const names = await readdir(dir).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const name of names) {
      // Synchronous, so that no client can resume it in between.
      if (this.#isOver || isInUse(name)) continue;
      const stats = lstatSync(join(dir, name), { throwIfNoEntry: false });
      // A directory is no upload, and another program's.
      if (stats === undefined || stats.isDirectory() || stats.mtimeMs + expiry >= this.#origin + performance.now())
        continue;
      assertOwned();
      rmSync(join(dir, name), { force: true });
    }
  }
}

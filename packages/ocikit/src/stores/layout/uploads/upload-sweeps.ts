import { lstatSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing } from '../files/index.ts';
import type { Warn } from '../files/index.ts';

export interface UploadSweepsOptions {
  /** Where the files of uploads are. */
  dir: string;
  /** Milliseconds after which an upload that nobody goes on with is gone. */
  expiry: number;
  /** Whether this process knows the upload: it expires by itself. */
  isInUse: (id: string) => boolean;
  /** Throws if the directory is no longer this process's. */
  assertOwned: () => void;
  warn: Warn;
}

const shortestInterval = 1000;
const longestInterval = 60 * 60 * 1000;

/** Removes the uploads that an earlier process left, when nobody goes on with them. Their age is their files'. */
export class UploadSweeps {
  readonly #options: UploadSweepsOptions;
  /** When `performance.now()` was 0. From then on no clock counts that somebody could set. */
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

  /** For good. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  async #sweepOrWarn(): Promise<void> {
    const { dir, warn } = this.#options;
    await this.sweep().catch((error: unknown) => warn('old uploads cannot be removed', { directory: dir, error }));
  }

  async sweep(): Promise<void> {
    const { dir, expiry, isInUse, assertOwned } = this.#options;
    const names = await readdir(dir).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const name of names) {
      // In one step, so that nobody can go on with it in between.
      if (this.#isOver || isInUse(name)) continue;
      const stats = lstatSync(join(dir, name), { throwIfNoEntry: false });
      if (stats === undefined || stats.mtimeMs + expiry >= this.#origin + performance.now()) continue;
      assertOwned();
      rmSync(join(dir, name), { force: true });
    }
  }
}

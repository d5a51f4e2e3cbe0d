// Compares the files of a store with their digests in the background, so that reads need not.
import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { isSameFile } from '../../disk/index.ts';
import { Digester, isRegistryError, splitDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';
import { namesAfter } from '../../repository/index.ts';

import { directoryOf, openBlobFile, statsOfFile, TimeSlice } from '../files/index.ts';
import type { Warn } from '../files/index.ts';
import type { LayoutStore } from '../root/index.ts';

import type { BlobReads } from './blob-reads.ts';
import { filesIn } from './orphans.ts';

/** Bytes that are read at a time. */
const piece = 256 * 1024;
/** Bytes that a file counts as at least: opening it takes as long as reading these. */
const leastPerFile = 16 * 1024;
/** While clients read or push, a check takes this many times as long. */
const slower = 8;

/** When a check runs, and how fast. */
export interface BackgroundChecksPace {
  /** Milliseconds after the start before the first round. Default: 10 s. */
  wait?: number | undefined;
  /** Milliseconds from the end of a round to the next one, and the age of a check that counts. Default: a day. */
  interval?: number | undefined;
  /** Bytes in a second while no client reads or pushes. Default: 16 MiB. */
  rate?: number | undefined;
}

/**
 * Reads every file of a store that was not compared with its digest within the interval: one at a time, slowly, and
 * slower while requests are answered. A file that was compared is served without hashing it again, and a damaged one
 * counts as missing before a client reads it.
 */
export class BackgroundChecks {
  readonly #store: LayoutStore;
  readonly #blobs: BlobReads;
  readonly #warn: Warn;
  readonly #pace: Required<{ [Key in keyof BackgroundChecksPace]: number }>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  /** Reads that the store had answered at the last pause. */
  #reads = 0;

  constructor(store: LayoutStore, blobs: BlobReads, pace: BackgroundChecksPace = {}) {
    this.#store = store;
    this.#blobs = blobs;
    this.#warn = store.warn;
    const { wait = 10_000, interval = 24 * 60 * 60 * 1000, rate = 16 * 1024 * 1024 } = pace;
    this.#pace = { wait, interval, rate };
  }

  /** Starts, unless it runs already. Its timers do not keep the process running. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the check for good. Resolves when it reads no file any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    await this.#sleep(this.#pace.wait);
    while (!this.#stop.signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        this.#warn('the check in the background cannot list the content: it is tried again', { error });
      }
      await this.#sleep(this.#pace.interval);
    }
  }

  async #round(): Promise<void> {
    const slice = new TimeSlice();
    for await (const directory of this.#directories()) {
      for await (const { digest, path } of filesIn(directory)) {
        if (this.#stop.signal.aborted) return;
        await this.#checkOrWarn(path, digest);
        if (slice.isOver) await slice.giveWay();
      }
    }
  }

  async *#directories(): AsyncGenerator<string, void, undefined> {
    const { root, isShared } = this.#store;
    if (isShared) {
      yield root;
      return;
    }
    for await (const name of namesAfter(() => this.#store.names())) yield join(root, directoryOf(name));
  }

  async #checkOrWarn(path: string, digest: Digest): Promise<void> {
    try {
      await this.#check(path, digest);
    } catch (error) {
      // It has been deleted meanwhile.
      if (isRegistryError(error, 'BLOB_UNKNOWN')) return;
      this.#warn('content cannot be read to check it', { file: path, error });
    }
  }

  async #check(path: string, digest: Digest): Promise<void> {
    const { verified } = this.#blobs;
    const stats = statsOfFile(path);
    if (stats === undefined || verified.age(path, stats) < this.#pace.interval) return;
    const handle = await openBlobFile(path);
    try {
      const before = fstatSync(handle.fd);
      const digester = new Digester(splitDigest(digest).algorithm);
      const buffer = new Uint8Array(Math.min(piece, Math.max(before.size, 1)));
      for (let at = 0; ;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) break;
        digester.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
        await this.#pause(Math.max(bytesRead, leastPerFile));
        if (this.#stop.signal.aborted) return;
      }
      // A file that has changed meanwhile is looked at in the next round.
      if (!isSameFile(before, fstatSync(handle.fd))) return;
      if (digester.digest() === digest) verified.note(path, before, true);
      else this.#blobs.noteDamaged(path, before);
    } finally {
      await handle.close();
    }
  }

  /** Waits as long as these bytes take at the rate. */
  async #pause(bytes: number): Promise<void> {
    const { reads } = this.#blobs;
    const isBusy = reads !== this.#reads || this.#store.files.throttle.isPushing;
    this.#reads = reads;
    await this.#sleep((bytes / this.#pace.rate) * 1000 * (isBusy ? slower : 1));
  }

  async #sleep(milliseconds: number): Promise<void> {
    const { signal } = this.#stop;
    if (!signal.aborted) await delay(milliseconds, undefined, { ref: false, signal }).catch(() => undefined);
  }
}

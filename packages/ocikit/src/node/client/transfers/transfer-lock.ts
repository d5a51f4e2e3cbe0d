// A lock file, so that only one process writes a partial transfer.
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, utimesSync, writeSync } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';

import { lookUp, thisProcess } from '../../../stores/disk/index.ts';
import type { ProcessIdentity } from '../../../stores/disk/index.ts';

interface Owner extends ProcessIdentity {
  nonce: string;
}

/** Milliseconds between two updates of the lock file's time. */
const heartbeat = 2000;
/**
 * Milliseconds after which a lock without a heartbeat is stale, if its owner runs on another host or in a container.
 */
const heartbeatTimeout = 10_000;

/**
 * The right to write one partial transfer. If two processes ever had it, neither would read wrong bytes, as both verify
 * the content; only the partial file would be useless. So this lock need not be as strict as a store's.
 */
export class TransferLock {
  readonly #path: string;
  readonly #nonce: string;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(path: string, nonce: string) {
    this.#path = path;
    this.#nonce = nonce;
    this.#timer = setInterval(() => {
      const now = new Date();
      try {
        utimesSync(path, now, now);
      } catch {
        // Another process has removed the lock: see above.
      }
    }, heartbeat);
    this.#timer.unref();
  }

  /**
   * Takes the lock.
   *
   * @returns undefined if another process, or another call, has it
   */
  static async acquire(path: string): Promise<TransferLock | undefined> {
    const nonce = randomUUID();
    for (let attempt = 0; attempt < 3; attempt++) {
      if (createLockFile(path, { ...thisProcess(), nonce })) return new TransferLock(path, nonce);
      const found = await readLockFile(path);
      if (found === undefined) continue;
      if (isHeld(found.text, found.mtimeMs)) return undefined;
      await removeStaleLock(path, found.text);
    }
    return undefined;
  }

  /** Releases the lock, if it is still this one's. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    if (parseOwner(text)?.nonce === this.#nonce) await rm(this.#path, { force: true });
  }
}

/** Creates and fills the file synchronously, so that other processes hardly ever see it empty. */
function createLockFile(path: string, owner: Owner): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
  try {
    writeSync(file, JSON.stringify(owner));
    return true;
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

async function readLockFile(path: string): Promise<{ text: string; mtimeMs: number } | undefined> {
  try {
    return { text: await readFile(path, 'utf8'), mtimeMs: (await stat(path)).mtimeMs };
  } catch {
    return undefined;
  }
}

/** Removes a stale lock. Only one process can rename it. If the renamed file is another, newer lock, it is put back. */
async function removeStaleLock(path: string, expected: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8')) === expected) await rm(aside, { force: true });
  else await rename(aside, path);
}

function isHeld(text: string, mtimeMs: number): boolean {
  const owner = parseOwner(text);
  const seen = owner === undefined ? 'elsewhere' : lookUp(owner);
  if (seen !== 'elsewhere') return seen === 'alive';
  return Math.abs(Date.now() - mtimeMs) <= heartbeatTimeout;
}

/** Undefined if the file is incomplete: it is being written, or its writer was killed. */
function parseOwner(text: string): Owner | undefined {
  try {
    return (JSON.parse(text) as Owner | null) ?? undefined;
  } catch {
    return undefined;
  }
}

// A lock file beside a file, held for the milliseconds of one change.
import { randomUUID } from 'node:crypto';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import { hasCode, isMissing, lookUp, readRegular, thisProcess } from '../../stores/disk/index.ts';
import type { ProcessIdentity } from '../../stores/disk/index.ts';

interface Owner extends ProcessIdentity {
  nonce: string;
}

/** Milliseconds that a process waits for another one. */
const patience = 10_000;
/** Milliseconds after which the lock of a process that cannot be looked up is stale. A change takes some of them. */
const staleAfter = 5000;

/** The right to change a file. */
export class FileLock {
  readonly #path: string;
  readonly #nonce: string;

  private constructor(path: string, nonce: string) {
    this.#path = path;
    this.#nonce = nonce;
  }

  /**
   * Takes the lock, when the process that has it releases it or has ended.
   *
   * @throws Error if another process has it for ten seconds
   */
  static async acquire(path: string): Promise<FileLock> {
    const nonce = randomUUID();
    const until = performance.now() + patience;
    for (;;) {
      try {
        await writeFile(path, JSON.stringify({ ...thisProcess(), nonce }), { flag: 'wx', mode: 0o600 });
        return new FileLock(path, nonce);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      if (await isStale(path)) await removeStale(path);
      else if (performance.now() > until)
        throw new Error(`${path} is held by another process: remove it if there is none`);
      else await pause(20);
    }
  }

  /** Releases the lock, if it is still this one's. */
  async release(): Promise<void> {
    if ((await read(this.#path))?.owner?.nonce === this.#nonce) await rm(this.#path, { force: true });
  }
}

async function read(path: string): Promise<{ owner: Owner | undefined; age: number } | undefined> {
  try {
    const text = (await readRegular(path)).toString();
    const age = Math.abs(Date.now() - (await stat(path)).mtimeMs);
    return { owner: parseOwner(text), age };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Undefined if the file is incomplete: it is being written, or its writer was killed. */
function parseOwner(text: string): Owner | undefined {
  try {
    return (JSON.parse(text) as Owner | null) ?? undefined;
  } catch {
    return undefined;
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await read(path);
  if (found === undefined) return false;
  const seen = found.owner === undefined ? 'elsewhere' : lookUp(found.owner);
  return seen === 'elsewhere' ? found.age > staleAfter : seen === 'gone';
}

/** Renames first: of several processes, one succeeds. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  // Between the look and the renaming, another process may have taken the lock over: it has to release it first.
  if (await isStale(aside)) await rm(aside, { force: true });
  else await rename(aside, path);
}

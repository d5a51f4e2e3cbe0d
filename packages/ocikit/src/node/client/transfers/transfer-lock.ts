import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, utimesSync, writeSync } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';

import { lookUp, thisProcess } from '../../../stores/disk/index.ts';
import type { ProcessIdentity } from '../../../stores/disk/index.ts';

interface Owner extends ProcessIdentity {
  nonce: string;
}

const heartbeat = 2000;
/** Of a process that cannot be seen from here nothing is known but that its heartbeat has stopped. */
const heartbeatTimeout = 10_000;

/**
 * Who goes on with a transfer. Should two ever do so, none of them reads wrong bytes, as both verify what they read; but what
 * they keep may be of no use. So it need not be as strict as a lock on what is stored.
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
        // It was taken away; see above.
      }
    }, heartbeat);
    this.#timer.unref();
  }

  /** @returns undefined if somebody else has it */
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

  async release(): Promise<void> {
    clearInterval(this.#timer);
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    if (parseOwner(text)?.nonce === this.#nonce) await rm(this.#path, { force: true });
  }
}

/** Without a pause between its name and its content, so that it is hardly ever seen empty. */
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

/** Renaming is the step that only one can do; who finds another's lock in its hands puts it back. */
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

/** Undefined if it is being written, or its writer was killed in the middle. */
function parseOwner(text: string): Owner | undefined {
  try {
    return (JSON.parse(text) as Owner | null) ?? undefined;
  } catch {
    return undefined;
  }
}

// The lock file of a root: one process writes, and another may take over when that process is gone.
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fstatSync,
  futimesSync,
  lstatSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { onAbort, RegistryError } from '../../../model/index.ts';

import { hasCode, isMissing, lookUp, thisProcess } from '../../disk/index.ts';
import type { ProcessIdentity } from '../../disk/index.ts';

import { CheckedThisTurn, isNoFile, noFollow, openRegular, readRegularNow } from '../files/index.ts';

/** The owner of a lock, as the lock file names it. */
export interface LockOwner extends ProcessIdentity {
  /** Unique for each lock. */
  nonce: string;
}

const heartbeat = 5000;
/** Milliseconds without a heartbeat. After these, an owner that cannot be looked up counts as gone. */
const silence = 30_000;
const pause = 500;
/** The mode of the directory. */
const ownOnly = 0o700;

/** Options for taking the lock. */
export interface AcquireOptions {
  /** Aborts the waiting. */
  signal?: AbortSignal | undefined;
  /** Called once if the lock's owner cannot be looked up, so that only its heartbeat can tell. */
  onWait?: ((owner: LockOwner | undefined) => void) | undefined;
}

/** The lock of the process that may write to a root. Readers never lock. */
export class RootLock {
  readonly #path: string;
  /** Open while the lock is held, so that no other file can get its inode number. */
  readonly #file: number;
  readonly #ino: bigint;
  readonly #nonce: string;
  readonly #checked = new CheckedThisTurn();
  readonly #timer: ReturnType<typeof setInterval>;

  #isReleased = false;

  private constructor(path: string, file: number, nonce: string) {
    this.#path = path;
    this.#file = file;
    this.#ino = fstatSync(file, { bigint: true }).ino;
    this.#nonce = nonce;
    this.#timer = setInterval(() => this.#beat(), heartbeat);
    this.#timer.unref();
  }

  /**
   * Takes the lock. Waits up to half a minute for a silent owner on another host or in another container.
   *
   * @throws RegistryError UNAVAILABLE, naming the owner
   */
  static async acquire(dir: string, { signal, onWait }: AcquireOptions = {}): Promise<RootLock> {
    const path = join(dir, 'lock');
    const owner: LockOwner = { ...thisProcess(), nonce: randomUUID() };
    await makeDirectory(dir);
    let hasWaited = false;
    for (let changes = 0; changes < 10;) {
      signal?.throwIfAborted();
      const file = create(path, owner);
      if (file !== undefined) return new RootLock(path, file, owner.nonce);
      const found = await read(path);
      if (found === undefined) {
        changes++;
        continue;
      }
      const state = stateOf(path, found);
      if (state === 'alive') throw locked(dir, found.owner);
      if (state === 'gone') {
        changes++;
        await takeAway(path, found);
        continue;
      }
      if (!hasWaited) onWait?.(found.owner);
      hasWaited = true;
      await delay(pause, signal);
    }
    throw new RegistryError('UNAVAILABLE', `${dir}: other processes keep taking the lock: try again`, {
      retryAfter: 1,
    });
  }

  /** True unless no process has the lock, or its owner is known to be gone. */
  static async isHeld(dir: string): Promise<boolean> {
    const path = join(dir, 'lock');
    const found = await read(path);
    return found !== undefined && stateOf(path, found) !== 'gone';
  }

  /** False if another process has taken the lock. */
  get isOwned(): boolean {
    if (this.#isReleased) return false;
    if (this.#checked.has(this.#path)) return true;
    const there = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (there?.ino !== this.#ino) return false;
    this.#checked.note(this.#path);
    return true;
  }

  /** @throws RegistryError UNAVAILABLE if another process has taken the lock */
  assertOwned(): void {
    if (this.isOwned) return;
    throw new RegistryError(
      'UNAVAILABLE',
      `this process no longer holds ${this.#path}, so it must not write: open the registry again`,
    );
  }

  /** Gives the lock up. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearInterval(this.#timer);
    closeSync(this.#file);
    try {
      const { nonce } = JSON.parse(readRegularNow(this.#path, noFollow).toString()) as LockOwner;
      if (nonce === this.#nonce) rmSync(this.#path, { force: true });
    } catch {
      // The lock is gone, or belongs to another process by now.
    }
  }

  #beat(): void {
    try {
      this.assertOwned();
      const now = new Date();
      futimesSync(this.#file, now, now);
    } catch {
      // The next write reports it.
    }
  }
}

/** The directory itself is for this user alone, those above it are as usual. */
async function makeDirectory(dir: string): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  try {
    await mkdir(dir, { mode: ownOnly });
    // The umask may have taken away what this user needs.
    chmodSync(dir, ownOnly);
  } catch (error) {
    if (!hasCode(error, 'EEXIST') || !lstatSync(dir).isDirectory()) throw error;
  }
}

function create(path: string, owner: LockOwner): number | undefined {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  }
  try {
    writeSync(file, JSON.stringify(owner));
    return file;
  } catch (error) {
    closeSync(file);
    rmSync(path, { force: true });
    throw error;
  }
}

/** The lock file of another process. */
interface LockFile {
  text: string;
  /** Undefined if the file is damaged, or the owner ended before writing it. */
  owner: LockOwner | undefined;
  /** Changes with each heartbeat. */
  beat: string;
}

async function read(path: string): Promise<LockFile | undefined> {
  try {
    // Opened each time: a network file system may show old data of a file until it is opened.
    const handle = await openRegular(path, noFollow);
    try {
      const text = await handle.readFile('utf8');
      const { ino, mtimeNs } = await handle.stat({ bigint: true });
      return { text, owner: parse(text), beat: `${ino} ${mtimeNs}` };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (!isNoFile(error)) throw error;
    throw new RegistryError('UNAVAILABLE', `${path} is not the file of a lock: remove it`, { cause: error });
  }
}

function parse(text: string): LockOwner | undefined {
  try {
    return (JSON.parse(text) as LockOwner | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function stateOf(path: string, found: LockFile): 'alive' | 'gone' | 'unknown' {
  const seen = found.owner === undefined ? 'elsewhere' : lookUp(found.owner);
  return seen === 'elsewhere' ? stateByHeartbeat(path, found) : seen;
}

/** Heartbeats seen of owners that cannot be looked up, by path of the lock. */
const heartbeats = new Map<string, { text: string; beat: string; since: number; isAlive: boolean }>();

/**
 * Clocks of two hosts may differ, and each may jump. So only two facts count: whether the lock's time changes, and
 * for how long it has not, by a local monotonic clock.
 */
function stateByHeartbeat(path: string, { text, beat }: LockFile): 'alive' | 'gone' | 'unknown' {
  const now = performance.now();
  const before = heartbeats.get(path);
  if (before?.text !== text || before.beat !== beat) {
    const isAlive = before?.text === text;
    heartbeats.set(path, { text, beat, since: now, isAlive });
    return isAlive ? 'alive' : 'unknown';
  }
  if (now - before.since >= silence) return 'gone';
  return before.isAlive ? 'alive' : 'unknown';
}

function delay(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      forget?.();
      resolve();
    }, milliseconds);
    const forget = signal === undefined ? undefined : onAbort(signal, abort);
  });
}

/** Only one process can succeed with the rename. If the renamed lock is not the expected one, it is put back. */
async function takeAway(path: string, expected: LockFile): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const taken = await read(aside);
  // The owner may have written a heartbeat at the last moment.
  if (taken?.text === expected.text && taken.beat === expected.beat) await rm(aside, { force: true });
  else await rename(aside, path);
  heartbeats.delete(path);
}

function locked(dir: string, owner: LockOwner | undefined): RegistryError {
  const who = owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host}`;
  return new RegistryError(
    'UNAVAILABLE',
    `${dir} is in use by ${who}: push to the registry that it serves, or stop it first`,
    { detail: owner === undefined ? undefined : { pid: owner.pid, host: owner.host } },
  );
}

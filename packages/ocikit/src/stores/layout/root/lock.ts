import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, futimesSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { RegistryError } from '../../../model/index.ts';

import { lookUp, thisProcess } from '../../disk/index.ts';
import type { ProcessIdentity } from '../../disk/index.ts';

import { hasCode, isMissing, CheckedThisTurn } from '../files/index.ts';

export interface LockOwner extends ProcessIdentity {
  nonce: string;
}

const heartbeat = 5000;
/** Of an owner that cannot be looked up nothing is known but that its heartbeat has stopped. */
const silence = 30_000;
const pause = 500;

export interface AcquireOptions {
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;
  /** Is told once if it takes a while to find out whether an owner lives that cannot be looked up. */
  onWait?: ((owner: LockOwner | undefined) => void) | undefined;
}

/** Who may write to a root. Readers never lock. */
export class RootLock {
  readonly #path: string;
  /** Open as long as the lock is held: the number of its inode cannot be given to another file meanwhile. */
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
   * Waits half a minute at the most: so long an owner on another host, or in another container, has to be silent.
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
    throw new RegistryError('UNAVAILABLE', `${dir}: the lock changes hands all the time`, { retryAfter: 1 });
  }

  /** False if somebody took the lock away. */
  get isOwned(): boolean {
    if (this.#isReleased) return false;
    if (this.#checked.has(this.#path)) return true;
    const there = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (there?.ino !== this.#ino) return false;
    this.#checked.note(this.#path);
    return true;
  }

  /** @throws RegistryError UNAVAILABLE if somebody took the lock away */
  assertOwned(): void {
    if (this.isOwned) return;
    throw new RegistryError('UNAVAILABLE', `${this.#path} was taken away: this process must not write any more`);
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearInterval(this.#timer);
    closeSync(this.#file);
    try {
      const { nonce } = JSON.parse(readFileSync(this.#path, 'utf8')) as LockOwner;
      if (nonce === this.#nonce) rmSync(this.#path, { force: true });
    } catch {
      // Somebody else's by now, or gone.
    }
  }

  #beat(): void {
    try {
      this.assertOwned();
      const now = new Date();
      futimesSync(this.#file, now, now);
    } catch {
      // The next write says it.
    }
  }
}

async function makeDirectory(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    // On a file system that is read-only, Node says that what it could not make is missing.
    if (!isMissing(error)) throw error;
    await mkdir(dirname(dir), { recursive: true });
    await mkdir(dir);
  }
}

function create(path: string, owner: LockOwner): number | undefined {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o644);
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

/** A lock of somebody. */
interface LockFile {
  text: string;
  /** Undefined if it is damaged, or its owner was gone before it was written. */
  owner: LockOwner | undefined;
  /** Changes with each heartbeat. */
  beat: string;
}

async function read(path: string): Promise<LockFile | undefined> {
  try {
    // Opened each time: what a network's file system says of a file may be old until then.
    const handle = await open(path, 'r');
    try {
      const text = await handle.readFile('utf8');
      const { ino, mtimeNs } = await handle.stat({ bigint: true });
      return { text, owner: parse(text), beat: `${ino} ${mtimeNs}` };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
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

/** What has been seen of locks whose owners cannot be looked up, by path. */
const heartbeats = new Map<string, { text: string; beat: string; since: number; isAlive: boolean }>();

/**
 * Their clock and the one here need not agree, and each may jump. So only whether the time of the lock changes counts,
 * and for how long it has not, by a clock that nobody sets.
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
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Renaming it is the step that only one can do; who finds another's lock in its hands puts it back. */
async function takeAway(path: string, expected: LockFile): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const taken = await read(aside);
  // Its owner may have come back to life at the last moment.
  if (taken?.text === expected.text && taken.beat === expected.beat) await rm(aside, { force: true });
  else await rename(aside, path);
  heartbeats.delete(path);
}

function locked(dir: string, owner: LockOwner | undefined): RegistryError {
  const who = owner === undefined ? 'somebody' : `process ${owner.pid} on ${owner.host}`;
  return new RegistryError(
    'UNAVAILABLE',
    `${dir} is in use by ${who}: push to the registry that it serves, or stop it first`,
    { detail: owner === undefined ? undefined : { pid: owner.pid, host: owner.host } },
  );
}

import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, futimesSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';

import { RegistryError } from '../../model/index.ts';

import { hasCode, isMissing } from './files.ts';

interface Owner {
  host: string;
  /** Differs after each start of the machine. */
  boot: string;
  pid: number;
  /** When the process started, in the kernel's ticks: a pid may be used again. */
  started: string;
  nonce: string;
}

const heartbeat = 5000;
/** From another host nothing is known but that its heartbeat has stopped. */
const silence = 30_000;

/** Who may write to a root. Readers never lock. */
export class RootLock {
  readonly #path: string;
  /** Open as long as the lock is held: the number of its inode cannot be given to another file meanwhile. */
  readonly #file: number;
  readonly #nonce: string;
  readonly #timer: ReturnType<typeof setInterval>;

  #isReleased = false;

  private constructor(path: string, file: number, nonce: string) {
    this.#path = path;
    this.#file = file;
    this.#nonce = nonce;
    this.#timer = setInterval(() => this.#beat(), heartbeat);
    this.#timer.unref();
  }

  /** @throws RegistryError UNAVAILABLE, naming the owner */
  static async acquire(dir: string): Promise<RootLock> {
    const path = join(dir, 'lock');
    const owner: Owner = { ...thisProcess(), nonce: randomUUID() };
    await makeDirectory(dir);
    for (let attempt = 0; attempt < 10; attempt++) {
      const file = create(path, owner);
      if (file !== undefined) return new RootLock(path, file, owner.nonce);
      const found = await read(path);
      if (found === undefined) continue;
      if (!isStale(found.owner, found.mtimeMs)) throw locked(dir, found.owner);
      await takeAway(path, found.text);
    }
    throw new RegistryError('UNAVAILABLE', `${dir}: the lock changes hands all the time`, { retryAfter: 1 });
  }

  /** False if somebody took the lock away. */
  get isOwned(): boolean {
    const there = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return !this.#isReleased && there?.ino === fstatSync(this.#file, { bigint: true }).ino;
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
      const { nonce } = JSON.parse(readFileSync(this.#path, 'utf8')) as Owner;
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

function create(path: string, owner: Owner): number | undefined {
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

async function read(path: string): Promise<{ text: string; owner: Owner | undefined; mtimeMs: number } | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    const { mtimeMs } = await stat(path);
    return { text, owner: parse(text), mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function parse(text: string): Owner | undefined {
  try {
    return (JSON.parse(text) as Owner | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function isStale(owner: Owner | undefined, mtimeMs: number): boolean {
  // Its owner is just writing it, or died while doing so.
  if (owner === undefined) return Date.now() - mtimeMs > silence;
  const here = thisProcess();
  if (owner.host !== here.host) return Date.now() - mtimeMs > silence;
  return owner.boot !== here.boot || startOf(owner.pid) !== owner.started;
}

/** Renaming it is the step that only one can do; who finds another's lock in its hands puts it back. */
async function takeAway(path: string, expected: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) === expected) await rm(aside, { force: true });
  else await rename(aside, path);
}

function thisProcess(): Omit<Owner, 'nonce'> {
  return { host: hostname(), boot: bootId(), pid: process.pid, started: startOf(process.pid) ?? '' };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Undefined if there is no such process. Where there is no /proc, whether there is one is all that is known. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    try {
      process.kill(pid, 0);
      return '';
    } catch (error) {
      return hasCode(error, 'EPERM') ? '' : undefined;
    }
  }
}

function locked(dir: string, owner: Owner | undefined): RegistryError {
  const who = owner === undefined ? 'somebody' : `process ${owner.pid} on ${owner.host}`;
  return new RegistryError(
    'UNAVAILABLE',
    `${dir} is in use by ${who}: push to the registry that it serves, or stop it first`,
    { detail: owner === undefined ? undefined : { pid: owner.pid, host: owner.host } },
  );
}

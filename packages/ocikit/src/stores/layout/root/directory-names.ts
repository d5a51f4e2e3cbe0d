// The names in one directory of a root, and what is known about the directories of these names.
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { hasCode, isMissing } from '../../disk/index.ts';
import { isRegistryError } from '../../../model/index.ts';
import { SortedNames } from '../../repository/index.ts';

import { formatIdentity, hasBlobs, hasEntries, namesIn } from '../files/index.ts';
import { readIndex } from '../index/index.ts';

/** Reading a directory again for changes of this process takes at most one part in this many of the time. */
const share = 20;
/** Milliseconds. A directory that is read in this time is read again at once. */
const quick = 5;
/** Milliseconds. A directory can change twice within one tick of the kernel's clock without a change of its time. */
const tick = 50;

/** The components of repository names in one directory, in byte order. */
export class DirectoryNames {
  readonly #path: string;
  /** The components. Some of them may have no repository, and not even a directory. */
  names: SortedNames = new SortedNames();
  /** The directories below that have been listed. */
  readonly below: Map<string, DirectoryNames> = new Map();
  /** Repositories without further directories, by component: the time of the directory's last change. */
  readonly leaves: Map<string, number> = new Map();
  #isRead = false;
  #identity = '';
  #lookedAt = -Infinity;
  #readAt = -Infinity;
  #readTook = 0;
  /** True if this process may have added a directory since the last reading began. */
  #hasGrown = false;
  #reading: Promise<void> | undefined;
  #noted: string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Notes a change that this process made. Costs the same for any number of names. */
  note(component: string, exists: boolean): void {
    if (!exists) this.leaves.delete(component);
    if (!exists || this.leaves.has(component)) return;
    if (this.#reading !== undefined) this.#noted.push(component);
    if (!this.#isRead || this.names.has(component)) return;
    this.names.add(component);
    this.#hasGrown = true;
  }

  /**
   * Reads the directory if it has changed.
   *
   * @param maxAge milliseconds: do nothing if the directory was looked at within this time
   */
  async refresh(maxAge: number): Promise<void> {
    const now = performance.now();
    if (!this.#isRead) return this.#read();
    if (now - this.#lookedAt < maxAge) return undefined;
    this.#lookedAt = now;
    if (this.#identity !== '' && identityNow(this.#path) === this.#identity) return undefined;
    if (!this.#hasGrown || this.#readTook < quick) return this.#read();
    // This process's own directories are noted already. Other processes may have added some as well.
    if (now - this.#readAt >= this.#readTook * share) this.#read().catch(() => undefined);
    return undefined;
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
      this.#noted = [];
    });
    return this.#reading;
  }

  async #readNow(): Promise<void> {
    const started = performance.now();
    this.#hasGrown = false;
    const identity = identityNow(this.#path);
    // Without the types of the entries it takes half the time. Only the names of a page are examined.
    this.names = SortedNames.from((await namesIn(this.#path)).filter(mayHoldRepositories).map(componentOf));
    for (const component of this.#noted) this.names.add(component);
    if (this.leaves.size > this.names.size) this.leaves.clear();
    this.#isRead = true;
    this.#identity = identity;
    this.#readAt = performance.now();
    this.#lookedAt = this.#readAt;
    this.#readTook = this.#readAt - started;
  }

  /** Removes a component without a directory, so that no other page examines it. */
  forget(component: string): void {
    this.names.delete(component);
    this.leaves.delete(component);
    this.below.delete(component);
  }

  /** The names in a directory of this one. */
  directoryOf(component: string, path: string): DirectoryNames {
    let directory = this.below.get(component);
    if (directory === undefined) {
      directory = new DirectoryNames(path);
      this.below.set(component, directory);
    }
    return directory;
  }
}

/** The content of a directory. */
export interface Examined {
  /** Whether it holds a repository. */
  isOne: boolean | Promise<boolean>;
  /** Whether it has further directories that may hold some. */
  hasDirectories: boolean;
}

/** The files of a layout beside `blobs`. */
const filesOfLayout: ReadonlySet<string> = new Set(['index.json', 'oci-layout']);
/** The result for a name that has no directory. */
export const nothing: Examined = { isOne: false, hasDirectories: false };

/**
 * Examines a directory. Synchronous unless only the index can tell: it takes some ten microseconds, and a thread ten
 * times as long. A directory that this user may not list counts as a repository.
 */
export function examine(path: string): Examined {
  return modifiedAt(path) === undefined ? nothing : examineDirectory(path);
}

function examineDirectory(path: string): Examined {
  const names = namesNow(path);
  // Nothing tells whether it is a repository. If a client asks for it, reading it reports the error.
  if (names === undefined) return { isOne: true, hasDirectories: false };
  // Nearly all have the files of a layout and nothing else. So the types of the entries are rarely needed.
  const hasDirectories =
    names.some((name) => !filesOfLayout.has(name) && mayHoldRepositories(name)) && hasDirectoriesIn(path);
  const isLayout = names.includes('index.json') || names.includes('blobs');
  return { isOne: isLayout && holdsContent(path), hasDirectories };
}

/**
 * The same, remembered as long as the directory does not change. Content can go without a change of the directory: call
 * {@link DirectoryNames.note} then.
 */
export function examineOnce(parent: DirectoryNames, component: string, path: string): Examined {
  const modified = modifiedAt(path);
  if (modified === undefined) return nothing;
  if (parent.leaves.get(component) === modified) return { isOne: true, hasDirectories: false };
  const examined = examineDirectory(path);
  if (examined.isOne === true && !examined.hasDirectories) parent.leaves.set(component, modified);
  else parent.leaves.delete(component);
  return examined;
}

/** Undefined if there is no such directory. Links are not followed. */
function modifiedAt(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true ? stats.mtimeMs : undefined;
}

function hasDirectoriesIn(path: string): boolean {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.some((entry) => entry.isDirectory() && mayHoldRepositories(entry.name));
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
}

/** If this user may not look into the directory of the blobs, reading the repository reports the error. */
function holdsContent(path: string): boolean | Promise<boolean> {
  try {
    return hasEntriesOfSha256(path) || hasContent(path);
  } catch (error) {
    if (isRegistryError(error)) return true;
    throw error;
  }
}

/** The usual case, quickly. */
function hasEntriesOfSha256(path: string): boolean {
  return hasEntries(join(path, 'blobs', 'sha256'));
}

/** A directory without content may be left from a removed repository. */
async function hasContent(path: string): Promise<boolean> {
  try {
    if (await hasBlobs(path)) return true;
    return ((await readIndex(join(path, 'index.json')))?.entries.length ?? 0) > 0;
  } catch {
    // Reading the repository reports the error.
    return true;
  }
}

/** Whether a directory of this name may hold repositories. */
function mayHoldRepositories(name: string): boolean {
  return name !== 'blobs' && !name.startsWith('.');
}

/** The component of a repository's name for the name of a directory. */
function componentOf(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name;
}

/**
 * Undefined if this user may not list the directory. One such directory must not fail the list of all repositories. Any
 * other error may pass, and fails the list: it would lack names otherwise.
 */
function namesNow(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch (cause) {
    if (isMissing(cause)) return [];
    if (hasCode(cause, 'EACCES', 'EPERM')) return undefined;
    throw cause;
  }
}

/** Empty if the directory has just changed: it may change again without a new time. */
function identityNow(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || Date.now() - Number(stats.mtimeMs) < tick) return '';
  return formatIdentity(stats);
}

// The names of all repositories below a root with one layout per repository.
import { existsSync, statSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';

import { isRepository } from '../../../model/index.ts';

import { SortedNames } from '../../repository/index.ts';

import { directoryOf, entriesOf, hasBlobs, repositoryOf, statsOf, TimeSlice } from '../files/index.ts';
import { readIndex } from '../index/index.ts';

/** Minimum milliseconds between two walks through the directories. */
const interval = 100;
/** Walking takes at most one part in this many of the time. */
const share = 20;
/** Milliseconds between two looks for what other tools added or removed. */
const lookInterval = 900;
/** Directories without others in them that one look covers: the next look continues where it ended. */
const leavesPerLook = 500;
/** Milliseconds. A directory may change again within a tick of the clock of its file system. */
const clockTick = 20;

/** The repositories that have a layout of their own below a root. */
export class RepositoryNames {
  readonly #root: string;
  #names: Promise<SortedNames> | undefined;
  #directories: Directories;
  /** By a monotonic clock. */
  #recentUntil = 0;
  #lookAfter = 0;
  #looking: Promise<void> | undefined;

  constructor(root: string) {
    this.#root = root;
    this.#directories = new Directories(root);
  }

  /** The names from one walk, with the changes from {@link note} since. */
  all(): Promise<SortedNames> {
    this.#names ??= this.#find().catch((error: unknown) => {
      this.#names = undefined;
      throw error;
    });
    return this.#names;
  }

  /** Like {@link all}, with what other tools added or removed up to a second ago. */
  async seen(): Promise<SortedNames> {
    const names = await this.all();
    const now = performance.now();
    if (this.#looking === undefined && now >= this.#lookAfter) {
      this.#looking = this.#directories.look(names).finally(() => {
        this.#looking = undefined;
        this.#lookAfter = Math.max(now + lookInterval, performance.now() + (performance.now() - now) * share);
      });
    }
    await this.#looking;
    return names;
  }

  /** The names on the disk, at most a short while old: use it while another process writes. */
  recent(): Promise<SortedNames> {
    if (performance.now() >= this.#recentUntil) this.#names = undefined;
    return this.all();
  }

  /**
   * Notes that a repository appeared or is gone. Without a successful walk so far there is nothing to note: the next
   * walk finds it.
   */
  async note(name: string, exists: boolean): Promise<void> {
    this.#directories.notes++;
    const names = await this.#names?.catch(() => undefined);
    if (!exists) {
      names?.delete(name);
    } else if (names !== undefined) {
      names.add(name);
      this.#directories.add(directoryOf(name));
    }
  }

  async #find(): Promise<SortedNames> {
    const started = performance.now();
    this.#recentUntil = Infinity;
    try {
      const names = new SortedNames();
      this.#directories = new Directories(this.#root);
      await this.#directories.walk('', names);
      return names;
    } finally {
      const now = performance.now();
      this.#lookAfter = started + lookInterval;
      this.#recentUntil = now + Math.max(interval, (now - started) * share);
    }
  }
}

/** A directory without content may be left from a removed repository. */
async function hasContent(path: string): Promise<boolean> {
  if (await hasBlobs(path)) return true;
  try {
    return ((await readIndex(join(path, 'index.json')))?.entries.length ?? 0) > 0;
  } catch {
    // Reading the repository reports the error.
    return true;
  }
}

/** The directories below a root, and when each changed last: only changed ones are listed again. */
class Directories {
  readonly #root: string;
  /** Modification times by directory. */
  readonly #times = new Map<string, number>();
  /** The directories in a directory, if it has any. */
  readonly #children = new Map<string, Set<string>>();
  /** The rest of the directories that this round of looks has not covered. */
  #leaves: Iterator<string, undefined> = this.#times.keys();
  /** Changes of the names by this process. */
  notes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** Adds the repositories in and below a directory. */
  async walk(directory: string, names: SortedNames): Promise<void> {
    this.#times.set(directory, this.#timeOf(directory));
    const entries = await entriesOf(join(this.#root, directory));
    const repository = repositoryOf(directory);
    const isOne = isRepository(repository) && directoryOf(repository) === directory;
    const isLayout = entries.some(({ name }) => name === 'index.json' || name === 'blobs');
    const { notes } = this;
    const isThere = isOne && isLayout && (await hasContent(join(this.#root, directory)));
    if (isThere) names.add(repository);
    // A push that was acknowledged meanwhile may have come after the look.
    else if (isOne && notes === this.notes) names.delete(repository);
    else if (isOne) this.#times.set(directory, NaN);
    const before = this.#children.get(directory);
    const children = new Set(entries.filter(mayHaveRepositories).map(({ name }) => childOf(directory, name)));
    if (children.size > 0) this.#children.set(directory, children);
    else this.#children.delete(directory);
    for (const child of children) if (before?.has(child) !== true) await this.walk(child, names);
    for (const child of before ?? []) if (!children.has(child)) this.#forget(child, names);
  }

  /** Notes a directory that this process made. The next look lists it. */
  add(directory: string): void {
    for (let at = directory; at !== '' && !this.#times.has(at);) {
      const parent = at.slice(0, Math.max(at.lastIndexOf('/'), 0));
      this.#times.set(at, NaN);
      this.#children.set(parent, (this.#children.get(parent) ?? new Set()).add(at));
      at = parent;
    }
  }

  /** Updates the names of directories that have changed. */
  async look(names: SortedNames): Promise<void> {
    const slice = new TimeSlice();
    const lookAt = async (directory: string): Promise<void> => {
      if (slice.isOver) await slice.giveWay();
      const known = this.#times.get(directory);
      if (known !== undefined && this.#timeOf(directory) !== known) await this.walk(directory, names);
    };
    await lookAt('');
    for (const directory of this.#children.keys()) await lookAt(directory);
    for (let left = Math.min(leavesPerLook, this.#times.size); left > 0; left--) {
      let next = this.#leaves.next();
      if (next.done === true) {
        this.#leaves = this.#times.keys();
        next = this.#leaves.next();
      }
      if (next.done === true) return;
      if (!this.#children.has(next.value)) await lookAt(next.value);
    }
  }

  /** Not a number if there is no such directory, or if it has just changed: then it counts as changed again. */
  #timeOf(directory: string): number {
    const stats = statsOf(join(this.#root, directory), statSync);
    return stats === undefined || Date.now() - stats.mtimeMs < clockTick ? NaN : stats.mtimeMs;
  }

  /** Forgets a directory that is gone, and those below it. */
  #forget(directory: string, names: SortedNames): void {
    if (existsSync(join(this.#root, directory))) return;
    this.#times.delete(directory);
    names.delete(repositoryOf(directory));
    const children = this.#children.get(directory);
    this.#children.delete(directory);
    for (const child of children ?? []) this.#forget(child, names);
  }
}

function mayHaveRepositories(entry: Dirent): boolean {
  return entry.isDirectory() && entry.name !== 'blobs' && !entry.name.startsWith('.');
}

function childOf(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

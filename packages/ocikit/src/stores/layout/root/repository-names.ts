// The names of all repositories below a root with one layout per repository.
import type { Dirent } from 'node:fs';
import { join } from 'node:path';

import { isRepository } from '../../../model/index.ts';

import { SortedNames } from '../../repository/index.ts';

import { directoryOf, entriesOf, hasBlobs, repositoryOf } from '../files/index.ts';
import { readIndex } from '../index/index.ts';

/** Minimum milliseconds between two walks through the directories. */
const interval = 100;
/** Walking takes at most one part in this many of the time. */
const share = 20;

/** The repositories that have a layout of their own below a root. */
export class RepositoryNames {
  readonly #root: string;
  #names: Promise<SortedNames> | undefined;
  /** By a monotonic clock. */
  #recentUntil = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** The names from one walk, with the changes from {@link note} since. */
  all(): Promise<SortedNames> {
    this.#names ??= this.#find().catch((error: unknown) => {
      this.#names = undefined;
      throw error;
    });
    return this.#names;
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
    const names = await this.#names?.catch(() => undefined);
    if (exists) names?.add(name);
    else names?.delete(name);
  }

  async #find(): Promise<SortedNames> {
    const started = performance.now();
    this.#recentUntil = Infinity;
    try {
      return await findRepositories(this.#root);
    } finally {
      const now = performance.now();
      this.#recentUntil = now + Math.max(interval, (now - started) * share);
    }
  }
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

async function findRepositories(root: string): Promise<SortedNames> {
  const names = new SortedNames();
  const walk = async (directory: string): Promise<void> => {
    const repository = repositoryOf(directory);
    const isOne = isRepository(repository) && directoryOf(repository) === directory;
    let entries: Dirent[];
    try {
      entries = await entriesOf(join(root, directory));
    } catch (error) {
      if (directory === '') throw error;
      // Nothing tells whether it is a repository. If it may be one, reading the repository reports the error.
      if (isOne) names.add(repository);
      return;
    }
    const isLayout = entries.some(({ name }) => name === 'index.json' || name === 'blobs');
    if (isOne && isLayout && (await hasContent(join(root, directory)))) names.add(repository);
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name === 'blobs' || entry.name.startsWith('.')) continue;
      await walk(directory === '' ? entry.name : `${directory}/${entry.name}`);
    }
  };
  await walk('');
  return names;
}

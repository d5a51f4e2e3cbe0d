import { join } from 'node:path';

import { isRepository } from '../../../model/index.ts';

import { SortedNames } from '../../repository/index.ts';

import { directoryOf, entriesOf, hasBlobs, repositoryOf } from '../files/index.ts';
import { readIndex } from '../index/index.ts';

/** Milliseconds between two walks through the directories, at the least. */
const interval = 100;
/** Of the time, a walk may take one part in so many. */
const share = 20;

/** The repositories that have a layout of their own below a root, and what may be left of some. */
export class RepositoryNames {
  readonly #root: string;
  #names: Promise<SortedNames> | undefined;
  /** By a clock that nobody sets. */
  #recentUntil = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** As they were found once, and {@link note} has told since. */
  all(): Promise<SortedNames> {
    this.#names ??= this.#find().catch((error: unknown) => {
      this.#names = undefined;
      throw error;
    });
    return this.#names;
  }

  /** As they are on the disk, or were a short while ago: for as long as others write. */
  recent(): Promise<SortedNames> {
    if (performance.now() >= this.#recentUntil) this.#names = undefined;
    return this.all();
  }

  /** If nobody has looked, or the look fails, the next one finds it on the disk. */
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

/** A directory may be what is left of a repository. */
async function hasContent(path: string): Promise<boolean> {
  if (await hasBlobs(path)) return true;
  try {
    return ((await readIndex(join(path, 'index.json')))?.entries.length ?? 0) > 0;
  } catch {
    // Whoever asks for what is in it is told.
    return true;
  }
}

async function findRepositories(root: string): Promise<SortedNames> {
  const names = new SortedNames();
  const walk = async (directory: string): Promise<void> => {
    const entries = await entriesOf(join(root, directory));
    const repository = repositoryOf(directory);
    const isOne = isRepository(repository) && directoryOf(repository) === directory;
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

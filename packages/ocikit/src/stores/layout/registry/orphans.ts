// Finding files of a shared layout that belong to no repository.
import { closeSync, openSync, readSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { opendir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { hasCode, isMissing } from '../../disk/index.ts';
import { digestsIn, isDigest, RegistryError } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import { noFollow, sizeOfFile, TimeSlice } from '../files/index.ts';
import type { Layout } from '../index/index.ts';

import { isInAnyRepository } from './state.ts';

/** Bytes. No tool reads larger manifests, so larger files keep nothing alive. */
const largestManifest = 64 * 1024 * 1024;
const beginningOfJson = /^\s*\{/;

/**
 * The orphans of a shared layout: files that no repository has and no document of the layout mentions. Entries of
 * other tools may belong to no repository here, and their manifests may have formats that are unknown here, so every
 * digest in their text counts as mentioned.
 */
export class Orphans {
  /** Digests that are mentioned but in no repository, by the version of the layout's content. */
  readonly #mentioned = new WeakMap<object, Promise<ReadonlySet<Digest>>>();

  /** Lists the digests of all orphans. */
  async *find(layout: Layout, signal: AbortSignal | undefined): AsyncGenerator<Digest, void, undefined> {
    await exploreAll(layout);
    const slice = new TimeSlice();
    for await (const digest of filesOf(layout)) {
      signal?.throwIfAborted();
      // Finding all mentioned digests takes a while and is seldom needed.
      if (!isInAnyRepository(layout, digest) && !(await this.isMentioned(layout, digest))) yield digest;
      if (slice.isOver) await slice.giveWay();
    }
  }

  /**
   * True if a manifest or an entry mentions the digest and no repository has it. Later pushes need no look: a pushed
   * manifest's content is in its repository.
   */
  async isMentioned(layout: Layout, digest: Digest): Promise<boolean> {
    const version = layout.contentVersion;
    let mentioned = this.#mentioned.get(version);
    if (mentioned === undefined) {
      mentioned = findMentioned(layout);
      this.#mentioned.set(version, mentioned);
      mentioned.catch(() => this.#mentioned.delete(version));
    }
    return (await mentioned).has(digest);
  }
}

/** Reads all manifests of other tools: only then does their content belong to repositories. */
export async function exploreAll(layout: Layout): Promise<void> {
  for (const name of layout.repositories.keys()) await layout.explore(name);
}

/** The digests of all files in a layout, in any order. */
export async function* filesOf(layout: Layout): AsyncGenerator<Digest, void, undefined> {
  const blobs = join(layout.path, 'blobs');
  for await (const algorithm of entriesIn(blobs)) {
    // Other tools may leave files beside the directories.
    if (algorithm.isFile()) continue;
    for await (const encoded of entriesIn(join(blobs, algorithm.name))) {
      const digest = `${algorithm.name}:${encoded.name}`;
      if (isDigest(digest)) yield digest;
    }
  }
}

/**
 * The entries of a directory; none only if it does not exist. Any other error is thrown: a partial list could make
 * used content look unused.
 */
export async function* entriesIn(dir: string): AsyncGenerator<Dirent, void, undefined> {
  try {
    yield* await opendir(dir, { bufferSize: 512 });
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return;
    throw new RegistryError('UNAVAILABLE', `${dir} cannot be listed: ${String(cause)}`, { cause });
  }
}

async function findMentioned(layout: Layout): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  const waiting: Digest[] = [];
  const add = (digests: Iterable<Digest>): void => {
    for (const digest of digests) {
      if (found.has(digest)) continue;
      found.add(digest);
      waiting.push(digest);
    }
  };
  const slice = new TimeSlice();
  for (const entry of layout.unassignedEntries) add(digestsIn(JSON.stringify(entry)));
  for (const { index } of layout.repositories.values()) {
    for (const digest of index.manifests.keys()) {
      const named = await digestsNamedBy(layout.blobPath(digest));
      add(named.filter((one) => !index.manifests.has(one) && !index.blobs.has(one)));
      if (slice.isOver) await slice.giveWay();
    }
  }
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    add(await digestsNamedBy(layout.blobPath(digest)));
    if (slice.isOver) await slice.giveWay();
  }
  return found;
}

/** Everything in a JSON document that looks like a digest. */
async function digestsNamedBy(path: string): Promise<Digest[]> {
  const size = sizeOfFile(path);
  if (size === undefined || size > largestManifest || !beginsAsJson(path)) return [];
  try {
    return digestsIn((await readFile(path, { flag: noFollow })).toString('latin1'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Most files are layers, which need not be read as a whole. */
function beginsAsJson(path: string): boolean {
  const start = Buffer.alloc(64);
  try {
    const file = openSync(path, noFollow);
    try {
      const length = readSync(file, start, 0, start.length, 0);
      return beginningOfJson.test(start.toString('latin1', 0, length));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

// Finding files of a shared layout that belong to no repository.
import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';

import { hasCode } from '../../disk/index.ts';
import { isDigest, RegistryError } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import { TimeSlice } from '../files/index.ts';
import type { Layout } from '../index/index.ts';

import { digestsInJson, digestsNamedBy, mentionedFrom } from './mentions.ts';
import { isInAnyRepository } from './state.ts';

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
    await layout.exploreAll();
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

/** The digests of all files in a layout, in any order. */
export async function* filesOf(layout: Layout): AsyncGenerator<Digest, void, undefined> {
  for await (const { digest } of filesIn(layout.path)) yield digest;
}

/** The blobs and manifests in the directory of a layout, in any order. */
export async function* filesIn(directory: string): AsyncGenerator<{ digest: Digest; path: string }, void, undefined> {
  const blobs = join(directory, 'blobs');
  for await (const algorithm of entriesIn(blobs)) {
    // Other tools may leave files beside the directories.
    if (!algorithm.isDirectory() && !algorithm.isSymbolicLink()) continue;
    for await (const encoded of entriesIn(join(blobs, algorithm.name))) {
      const digest = `${algorithm.name}:${encoded.name}`;
      if (isDigest(digest)) yield { digest, path: join(blobs, algorithm.name, encoded.name) };
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
  const first = layout.unassignedEntries.flatMap(digestsInJson);
  const slice = new TimeSlice();
  for (const { index } of layout.repositories.values()) {
    for (const digest of index.manifests.keys()) {
      const named = await digestsNamedBy(layout.blobPath(digest));
      for (const one of named) if (!index.manifests.has(one) && !index.blobs.has(one)) first.push(one);
      if (slice.isOver) await slice.giveWay();
    }
  }
  return mentionedFrom(layout, first);
}

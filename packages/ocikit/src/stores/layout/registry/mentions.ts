// The digests that entries and manifests of other tools mention where their format is unknown here.
import { closeSync, openSync, readSync } from 'node:fs';

import { isMissing } from '../../disk/index.ts';
import { digestsIn } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import { isNoFile, noFollow, readRegular, sizeOfFile, TimeSlice } from '../files/index.ts';
import type { Layout } from '../index/index.ts';

/** Bytes. No tool reads larger manifests, so larger files keep nothing alive. */
const largestManifest = 64 * 1024 * 1024;
const beginningOfJson = /^\s*\{/;

interface Found {
  /** The number of unreadable manifests at that time. */
  opaque: number;
  digests: Promise<ReadonlySet<Digest>>;
}

/**
 * Content that must stay although no tag reaches it: an entry without a meaning here names it, or, in a shared layout,
 * a manifest of a format that is unknown here. Every digest in their text counts, and in the text of what they name.
 */
export class Mentions {
  /** By the version of the layout's content. */
  readonly #found = new WeakMap<object, Found>();

  /** The digests that are mentioned. */
  async in(layout: Layout): Promise<ReadonlySet<Digest>> {
    await layout.exploreAll();
    const version = layout.contentVersion;
    let opaque = 0;
    for (const repository of layout.repositories.values()) opaque += repository.opaque.size;
    let found = this.#found.get(version);
    if (found?.opaque !== opaque) {
      found = { opaque, digests: find(layout) };
      this.#found.set(version, found);
      found.digests.catch(() => this.#found.delete(version));
    }
    const digests = await found.digests;
    // Another tool may have edited the index meanwhile.
    return layout.contentVersion === version ? digests : this.in(layout);
  }
}

async function find(layout: Layout): Promise<ReadonlySet<Digest>> {
  const first = layout.unassignedEntries.flatMap(digestsInJson);
  // In a layout per repository, collecting reads such a manifest itself.
  if (layout.directory !== '') return mentionedFrom(layout, first);
  for (const { opaque } of layout.repositories.values()) {
    for (const digest of opaque) for (const one of await digestsNamedBy(layout.blobPath(digest))) first.push(one);
  }
  return mentionedFrom(layout, first);
}

/** These digests, and all that the documents of these digests mention. */
export async function mentionedFrom(layout: Layout, first: readonly Digest[]): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>(first);
  const waiting = [...found];
  const slice = new TimeSlice();
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    for (const named of await digestsNamedBy(layout.blobPath(digest))) {
      if (found.has(named)) continue;
      found.add(named);
      waiting.push(named);
    }
    if (slice.isOver) await slice.giveWay();
  }
  return found;
}

/** Everything in a JSON text that looks like a digest, however its characters are written. */
export function digestsInJson(text: string): Digest[] {
  // A name may stand in an object twice, and a parsed object has only its last value.
  const written = digestsIn(text);
  return text.includes('\\') ? [...written, ...digestsIn(unescaped(text))] : written;
}

/** Without a parser, which has no room for lists in lists in lists. */
function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_all, code: string | undefined, one: string | undefined) =>
    code === undefined ? (one ?? '') : String.fromCharCode(parseInt(code, 16)),
  );
}

/** Everything in the file of a JSON document that looks like a digest. */
export async function digestsNamedBy(path: string): Promise<Digest[]> {
  const size = sizeOfFile(path);
  if (size === undefined || size > largestManifest || !beginsAsJson(path)) return [];
  try {
    return digestsIn((await readRegular(path, noFollow)).toString('latin1'));
  } catch (error) {
    if (isMissing(error) || isNoFile(error)) return [];
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
    if (isMissing(error) || isNoFile(error)) return false;
    throw error;
  }
}

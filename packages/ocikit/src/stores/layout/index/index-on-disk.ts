import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { formatIdentity, identityOf } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import { indexLines, NoIndexError, parseIndex } from './index-file.ts';
import type { IndexFile, ParsedIndex } from './index-file.ts';
import { ReplacedFile } from './replaced-file.ts';

/** How long a tool that has emptied an index may take to fill it. */
const pauses = 20;
const pause = 50;

interface NewIndex {
  head: Record<string, unknown> | undefined;
  entries: Iterable<unknown>;
  /** Is told the sha256 that the index will have, when its content is durable. */
  beforeRename: (sha256: string) => Promise<void>;
}

/** The `index.json` of one layout, which other tools may edit at any time. */
export class IndexOnDisk {
  readonly path: string;
  readonly #files: Files;
  #sha256 = '';
  #size = 0;
  #identity = '';
  /** The one before this one, until it is known that nobody has written to it. */
  #replaced: ReplacedFile | undefined;

  constructor(path: string, files: Files) {
    this.path = path;
    this.#files = files;
  }

  /** As it was read or written last; empty if there is none. */
  get sha256(): string {
    return this.#sha256;
  }

  /** Entries in it when it was read or written last. */
  get size(): number {
    return this.#size;
  }

  /** True if somebody may still write to the file that was replaced last, and {@link takeReplaced} tells. */
  get isWatching(): boolean {
    return this.#replaced !== undefined;
  }

  /** What was read is now what is known here. */
  take(file: IndexFile | undefined): void {
    this.#sha256 = file?.sha256 ?? '';
    this.#size = file?.entries.length ?? 0;
    this.#identity = file?.identity ?? '';
  }

  async isEdited(): Promise<boolean> {
    return (await identityOf(this.path)) !== this.#identity;
  }

  /** Makes an empty one, if there is none. */
  async make(): Promise<void> {
    if ((await identityOf(this.path)) !== '') return;
    const isWanted = (): boolean => {
      const there = ReplacedFile.open(this.path);
      there?.close();
      return there === undefined;
    };
    const pieces: Buffer[] = [];
    for await (const piece of indexLines(undefined, [])) pieces.push(piece);
    const identity = await this.#files.replace(this.path, pieces, { isWanted });
    if (identity !== undefined) this.take({ ...(await parseIndex(Buffer.concat(pieces))), identity });
  }

  /**
   * Writes a new one.
   *
   * @returns false if somebody has edited the old one, also at the last moment: it is left as it is
   */
  async write({ head, entries, beforeRename }: NewIndex): Promise<boolean> {
    const hash = createHash('sha256');
    let size = 0;
    const counted = function* (): Generator {
      for (const entry of entries) {
        if (entry !== undefined) size++;
        yield entry;
      }
    };
    const content = async function* (): AsyncGenerator<Buffer> {
      for await (const piece of indexLines(head, counted())) {
        hash.update(piece);
        yield piece;
      }
    };
    let sha256 = '';
    const prepare = async (): Promise<void> => {
      sha256 = hash.digest('hex');
      await beforeRename(sha256);
    };
    const isWanted = (): boolean => this.#startWatching();
    const identity = await this.#files.replace(this.path, content(), { prepare, isWanted });
    if (identity === undefined) return false;
    this.#sha256 = sha256;
    this.#size = size;
    this.#identity = identity;
    return true;
  }

  /** The last look before the old one loses its name, and the beginning of watching it. */
  #startWatching(): boolean {
    const old = ReplacedFile.open(this.path);
    if ((old === undefined ? '' : formatIdentity(old.stats)) !== this.#identity) {
      old?.close();
      return false;
    }
    this.release();
    this.#replaced = old;
    return true;
  }

  /**
   * What somebody has written to the file that was replaced last, which nobody sees there. It is not watched any more.
   *
   * @throws NoIndexError if that is no index
   */
  async takeReplaced(): Promise<ParsedIndex | undefined> {
    const replaced = this.#replaced;
    if (replaced === undefined) return undefined;
    this.#replaced = undefined;
    try {
      for (let left = replaced.hasChanged ? pauses : 0; left > 0; left--) {
        try {
          return await parseIndex(replaced.read());
        } catch (error) {
          if (!(error instanceof NoIndexError) || left === 1) throw error;
          await delay(pause);
        }
      }
      return undefined;
    } finally {
      replaced.close();
    }
  }

  /** Whatever is written to the file that was replaced last is nobody's business any more. */
  release(): void {
    this.#replaced?.close();
    this.#replaced = undefined;
  }
}

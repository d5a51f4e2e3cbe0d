// One `index.json` on disk, which other tools may edit at any time.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { formatIdentity, identityNow, identityOf } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import { indexLines, NoIndexError, parseIndex } from './index-file.ts';
import type { IndexFile, ParsedIndex } from './index-file.ts';
import type { FieldText } from './json-elements.ts';
import { ReplacedFile } from './replaced-file.ts';

/** A tool that has emptied an index gets this long to fill it: 20 pauses of 50 ms. */
const pauses = 20;
const pause = 50;

interface NewIndex {
  head: readonly FieldText[] | undefined;
  entries: Iterable<string | undefined>;
  /** Called with the sha256 of the new index when its content is durable. */
  beforeRename: (sha256: string) => Promise<void>;
}

/** The `index.json` of one layout. Other tools may edit it at any time. */
export class IndexOnDisk {
  /** The path of the file. */
  readonly path: string;
  readonly #files: Files;
  #sha256 = '';
  #size = 0;
  #identity = '';
  /** The previous file, until it is known that no tool has written to it. */
  #replaced: ReplacedFile | undefined;

  constructor(path: string, files: Files) {
    this.path = path;
    this.#files = files;
  }

  /** The hash of the file as it was read or written last; empty if there is none. */
  get sha256(): string {
    return this.#sha256;
  }

  /** The number of entries in the file as it was read or written last. */
  get size(): number {
    return this.#size;
  }

  /** True if a tool may still write to the file that was replaced last. {@link takeReplaced} reads it. */
  get isWatching(): boolean {
    return this.#replaced !== undefined;
  }

  /** Takes a file that was read as the known state. */
  take(file: IndexFile | undefined): void {
    this.#sha256 = file?.sha256 ?? '';
    this.#size = file?.entries.length ?? 0;
    this.#identity = file?.identity ?? '';
  }

  /** True if another tool has replaced or edited the file. */
  async isEdited(): Promise<boolean> {
    return (await identityOf(this.path)) !== this.#identity;
  }

  /** Like {@link isEdited}, also for {@link isReplacedEdited}, without waiting. */
  get looksEdited(): boolean {
    return this.isReplacedEdited || identityNow(this.path) !== this.#identity;
  }

  /** True if a tool has written to the file that was replaced last. {@link takeReplaced} reads it. */
  get isReplacedEdited(): boolean {
    return this.#replaced?.hasChanged === true;
  }

  /** Creates an empty index if there is none. */
  async make(): Promise<void> {
    if ((await identityOf(this.path)) !== '') return;
    const isWanted = (): boolean => {
      const there = ReplacedFile.open(this.path);
      there?.close();
      return there === undefined;
    };
    const pieces: Buffer[] = [];
    for await (const piece of indexLines(undefined, [])) pieces.push(piece);
    const empty = await parseIndex(Buffer.concat(pieces));
    const onReplaced = (identity: string): void => this.take({ ...empty, identity });
    await this.#files.replace(this.path, pieces, { isWanted, onReplaced });
  }

  /**
   * Writes a new index.
   *
   * @returns false if another tool has edited the old one, even at the last moment; the file is left as it is
   */
  async write({ head, entries, beforeRename }: NewIndex): Promise<boolean> {
    const hash = createHash('sha256');
    let size = 0;
    const counted = function* (): Generator<string | undefined> {
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
    // An edit that is read meanwhile becomes the known state, and is not in these entries.
    const extended = this.#identity;
    const isWanted = (): boolean => this.#identity === extended && this.#startWatching();
    const onReplaced = (identity: string): void => {
      this.#sha256 = sha256;
      this.#size = size;
      this.#identity = identity;
    };
    return (await this.#files.replace(this.path, content(), { prepare, isWanted, onReplaced })) !== undefined;
  }

  /** Checks the old file a last time and keeps it open, so that later writes to it are seen. */
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
   * Returns the index that another tool wrote into the replaced file, where no reader sees it. Stops watching the
   * file.
   *
   * @throws NoIndexError if its content is not an index
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

  /** Stops watching the file that was replaced last. */
  release(): void {
    this.#replaced?.close();
    this.#replaced = undefined;
  }
}

// The journals that are already in a root when it is opened: of a crashed process, or of one that writes now.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing } from '../../disk/index.ts';
import type { Digest } from '../../../model/index.ts';

import { directoryOf } from '../files/index.ts';
import type { Warn } from '../files/index.ts';

import { journalGenerations, readJournal, readMore } from './journal-file.ts';
import type { LocatedContent, JournalRecord, ReadJournal } from './journal-file.ts';

/** A journal file as it was when it was read last. */
interface FoundJournal {
  generation: number;
  ino: number;
  journal: ReadJournal;
}

/** The journals that are found in a root: another process writes them, or wrote them and crashed. */
export class FoundJournals {
  readonly #dir: string;
  readonly #isShared: boolean;
  #key: string;
  /** In the order of their generations. */
  readonly #found: FoundJournal[];
  readonly #records = new Map<string, JournalRecord[]>();
  readonly #contents = new Map<string, JournalledContent>();
  #reading: Promise<boolean> | undefined;

  private constructor(dir: string, isShared: boolean, key: string, found: FoundJournal[]) {
    this.#dir = dir;
    this.#isShared = isShared;
    this.#key = key;
    this.#found = found;
    for (const { generation, journal } of found) this.#add(generation, journal);
  }

  /** Reads all journals of a private directory. */
  static async find(dir: string, isShared: boolean, warn: Warn): Promise<FoundJournals> {
    const key = await journalsIdentity(dir);
    const found: FoundJournal[] = [];
    for (const generation of await journalGenerations(dir)) {
      try {
        const { ino } = await stat(join(dir, `journal-${generation}`));
        found.push({ generation, ino, journal: await readJournal(dir, generation) });
      } catch (error) {
        // Its generation has been folded and removed meanwhile.
        if (!isMissing(error)) throw error;
      }
    }
    const journals = new FoundJournals(dir, isShared, key, found);
    if (journals.damaged.length > 0) {
      warn('a journal has damaged records', { directory: dir, generations: journals.generations });
    }
    return journals;
  }

  /** The numbers of the journals, oldest first. */
  get generations(): number[] {
    return this.#found.map(({ generation }) => generation);
  }

  /** Directories of the layouts that have records in the journals. */
  get directories(): string[] {
    return [...this.#records.keys()];
  }

  /** Damaged parts that have good records after them, by generation. */
  get damaged(): { generation: number; damaged: readonly Buffer[] }[] {
    return this.#found.flatMap(({ generation, journal: { damaged } }) =>
      damaged.length === 0 ? [] : [{ generation, damaged }],
    );
  }

  /** Bytes of the newest journal up to the end of its last good record. */
  get lastLength(): number {
    return this.#found.at(-1)?.journal.length ?? 0;
  }

  /** Small files that only the journals make durable so far. */
  get contents(): JournalledContent[] {
    return [...this.#contents.values()];
  }

  /** The bytes' place of one digest in a layout; undefined if the journals do not have them. */
  contentOf(directory: string, digest: Digest): JournalledContent | undefined {
    return this.#contents.get(keyOfFile(directory, digest));
  }

  /** A layout's records in journal order. New ones are appended when more is read. */
  recordsOf(directory: string): readonly JournalRecord[] {
    return this.#records.get(directory) ?? [];
  }

  /**
   * Reads the records that were added since. Concurrent callers share one read.
   *
   * @returns false if a journal was replaced or truncated: the caller must find the journals again
   */
  readMore(): Promise<boolean> {
    this.#reading ??= this.#readMore().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readMore(): Promise<boolean> {
    const key = await journalsIdentity(this.#dir);
    if (key === this.#key) return true;
    try {
      const generations = await journalGenerations(this.#dir);
      if (!this.#found.every(({ generation }, i) => generations[i] === generation)) return false;
      for (const [i, generation] of generations.entries()) {
        if (!(await this.#readOne(generation, this.#found[i]))) return false;
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
      return false;
    }
    this.#key = key;
    return true;
  }

  async #readOne(generation: number, before: FoundJournal | undefined): Promise<boolean> {
    const { ino } = await stat(join(this.#dir, `journal-${generation}`));
    if (before !== undefined && before.ino !== ino) return false;
    const journal =
      before === undefined
        ? await readJournal(this.#dir, generation)
        : await readMore(this.#dir, generation, before.journal);
    if (journal === undefined || journal.damaged.length > 0) return false;
    this.#add(generation, journal);
    if (before === undefined) this.#found.push({ generation, ino, journal });
    else before.journal = journal;
    return true;
  }

  #add(generation: number, { records, contents }: ReadJournal): void {
    for (const content of contents) this.#addContent(generation, content);
    for (const record of records.flat()) {
      const directory = this.#directoryOf(record);
      const list = this.#records.get(directory);
      if (list === undefined) this.#records.set(directory, [record]);
      else list.push(record);
    }
  }

  #addContent(generation: number, content: LocatedContent): void {
    const key = keyOfFile(content.directory, content.digest);
    if (content.op === 'removed') this.#contents.delete(key);
    else this.#contents.set(key, { ...content, generation });
  }

  #directoryOf(record: JournalRecord): string {
    if (record.op === 'base' || record.op === 'folded') return record.directory;
    return this.#isShared ? '' : directoryOf(record.repository);
  }
}

/** Small content whose bytes are in a journal, and the place of these bytes. */
export type JournalledContent = Extract<LocatedContent, { op: 'content' }> & { generation: number };

function keyOfFile(directory: string, digest: Digest): string {
  return `${directory}@${digest}`;
}

/** A text that changes when a journal is written or replaced. */
async function journalsIdentity(dir: string): Promise<string> {
  const generations = await journalGenerations(dir);
  const sizes = generations.map((generation) =>
    stat(join(dir, `journal-${generation}`)).then(
      ({ size, ino, mtimeMs }) => `${generation} ${ino} ${size} ${mtimeMs}`,
      () => '',
    ),
  );
  return `journals ${(await Promise.all(sizes)).join(', ')}`;
}

/**
 * The records of a layout that its index does not contain yet.
 *
 * @param sha256 the hash of the index
 * @returns `isKnown`: false if another tool has edited the index
 */
export function recordsToReplay(
  records: readonly JournalRecord[],
  sha256: string,
): { records: readonly JournalRecord[]; isKnown: boolean } {
  const known = new Set<string>();
  let from = 0;
  for (const [i, record] of records.entries()) {
    if (record.op !== 'base' && record.op !== 'folded') continue;
    known.add(record.sha256);
    // The index contains everything up to here.
    if (record.op === 'folded' && record.sha256 === sha256) from = i + 1;
  }
  return { records: records.slice(from), isKnown: records.length === 0 || known.has(sha256) };
}

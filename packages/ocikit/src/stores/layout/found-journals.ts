import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing } from './files.ts';
import { journalGenerations, readJournal } from './journal.ts';
import type { JournalRecord } from './journal.ts';
import type { Layout } from './layout.ts';
import { directoryOf } from './names.ts';
import type { Warn } from './warn.ts';

/** The journals that are found in a root: another process writes them, or one did and crashed. */
export interface FoundJournals {
  generations: readonly number[];
  directories: ReadonlySet<string>;
  damaged: readonly { generation: number; damaged: Buffer[] }[];
  /** Bytes of the newest journal up to the end of its last good record. */
  lastLength: number;
  /** Puts on top of an index what it does not have yet. */
  replay(layout: Layout, warn: Warn): void;
}

export const noJournals: FoundJournals = {
  generations: [],
  directories: new Set(),
  damaged: [],
  lastLength: 0,
  replay: () => undefined,
};

/** Differs when something has been written to the journals. */
export async function journalsKey(dir: string): Promise<string> {
  const generations = await journalGenerations(dir);
  const sizes = generations.map((generation) =>
    stat(join(dir, `journal-${generation}`)).then(
      ({ size, ino }) => `${generation} ${ino} ${size}`,
      () => '',
    ),
  );
  return `journals ${(await Promise.all(sizes)).join(', ')}`;
}

export async function findJournals(dir: string, isShared: boolean, warn: Warn): Promise<FoundJournals> {
  const generations = await journalGenerations(dir);
  if (generations.length === 0) return noJournals;
  const damaged: { generation: number; damaged: Buffer[] }[] = [];
  const byDirectory = new Map<string, JournalRecord[]>();
  let lastLength = 0;
  for (const generation of generations) {
    const journal = await readJournal(dir, generation).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    lastLength = journal?.length ?? 0;
    if (journal === undefined) continue;
    if (journal.damaged.length > 0) damaged.push({ generation, damaged: journal.damaged });
    for (const record of journal.records.flat()) {
      const directory = directoryOfRecord(record, isShared);
      const list = byDirectory.get(directory);
      if (list === undefined) byDirectory.set(directory, [record]);
      else list.push(record);
    }
  }
  if (damaged.length > 0) warn('a journal has damaged records', { directory: dir, generations });
  return {
    generations,
    directories: new Set(byDirectory.keys()),
    damaged,
    lastLength,
    replay: (layout) => replay(layout, byDirectory.get(layout.directory) ?? [], warn),
  };
}

function directoryOfRecord(record: JournalRecord, isShared: boolean): string {
  if (record.op === 'base' || record.op === 'folded') return record.directory;
  return isShared ? '' : directoryOf(record.repository);
}

function replay(layout: Layout, records: readonly JournalRecord[], warn: Warn): void {
  const known = new Set<string>();
  let from = 0;
  for (const [i, record] of records.entries()) {
    if (record.op !== 'base' && record.op !== 'folded') continue;
    known.add(record.sha256);
    // The index has everything up to here.
    if (record.op === 'folded' && record.sha256 === layout.sha256) from = i + 1;
  }
  if (records.length > 0 && !known.has(layout.sha256)) {
    warn('somebody else has edited an index: what was pushed here is kept', { directory: layout.path });
  }
  for (const record of records.slice(from)) layout.apply(record);
}

// Recovery: applying the journals that a crashed process left, before this process writes.
import { join } from 'node:path';

import { hasCode } from '../../disk/index.ts';
import { isRegistryError } from '../../../model/index.ts';

import { assertInside, TimeSlice } from '../files/index.ts';
import type { Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import { quarantine, truncateJournal } from '../journal/index.ts';
import type { FoundJournals, HistoryFiles, Journal, JournalledContent, UnsettledContent } from '../journal/index.ts';

import type { Folding } from './folding.ts';

/** The parts of a root that recovery works on. */
export interface RecoveryOptions {
  /** The root directory. */
  root: string;
  /** The directory of the journals. */
  dir: string;
  /** Called for each file that cannot be restored. */
  warn: Warn;
  /** Small files that only the journal makes durable. */
  unsettled: UnsettledContent;
  /** The history of tags. */
  history: HistoryFiles;
  /** Writes the indexes. */
  folding: Folding;
  /** Opens the layout in a directory below the root. */
  layoutIn: (directory: string) => Promise<Layout>;
}

/** Saves damaged parts of journals in files of their own, so that the operator can look at them. */
export async function saveDamaged({ damaged }: FoundJournals, dir: string, warn: Warn): Promise<void> {
  for (const journal of damaged) {
    const file = await quarantine(dir, journal.generation, journal.damaged);
    warn('a journal has damaged records: they were saved in a file and skipped', { file });
  }
}

/**
 * Restores small files from the journals, and writes every index and history that the journals extend. The journals are
 * not needed for anything else then.
 *
 * @param journal the new journal, which is still empty
 */
export async function recover(journals: FoundJournals, journal: Journal, options: RecoveryOptions): Promise<void> {
  const { generations, directories, lastLength } = journals;
  const { dir, folding, history, layoutIn } = options;
  const slice = new TimeSlice();
  for (const content of journals.contents) {
    await restoreFile(content, options);
    if (slice.isOver) await slice.giveWay();
  }
  const last = generations.at(-1);
  if (last !== undefined && lastLength > 0) await truncateJournal(dir, last, lastLength);
  const frozen = lastLength > 0 ? last : undefined;
  for (const directory of directories) {
    const layout = await layoutIn(directory);
    if (layout.isDirty) await folding.foldLayout(layout, journal, frozen);
    await history.append(directory, journals.recordsOf(directory));
  }
}

async function restoreFile(content: JournalledContent, { root, warn, unsettled }: RecoveryOptions): Promise<void> {
  const { directory, digest } = content;
  const components = [...directory.split('/').filter(Boolean), 'blobs', ...digest.split(':')];
  try {
    assertInside(root, components);
    await unsettled.recover({ ...content, path: join(root, ...components) });
  } catch (error) {
    // With a symbolic link, a directory, or a file in place of a directory, recovery would fail each time. Other
    // errors may pass.
    if (!isRegistryError(error) && !hasCode(error, 'EISDIR', 'ENOTDIR', 'EEXIST')) throw error;
    warn('a file cannot be restored from the journal', { error });
  }
}

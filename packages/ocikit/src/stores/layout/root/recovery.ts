// Recovery: applying the journals that a crashed process left, before this process writes.
import { join } from 'node:path';

import { hasCode } from '../../disk/index.ts';
import { isRegistryError } from '../../../model/index.ts';

import { assertInside, TimeSlice } from '../files/index.ts';
import type { Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import { quarantine, truncateJournal } from '../journal/index.ts';
import type { FoundJournals, HistoryFiles, Journal, JournalledContent, UnsettledContent } from '../journal/index.ts';

import { warnOfHeld } from './folding.ts';
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
  /** Throws if another process has taken the lock. */
  assertOwned: () => void;
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
 * @returns the layouts that cannot be read now, by directory, and how to try again. The journals are needed for these
 */
export async function recover(
  journals: FoundJournals,
  journal: Journal,
  options: RecoveryOptions,
): Promise<ReadonlyMap<string, () => Promise<void>>> {
  const { generations, directories, lastLength } = journals;
  const { dir, folding, history, layoutIn } = options;
  const slice = new TimeSlice();
  const held = new Map<string, () => Promise<void>>();
  for (const content of journals.contents) {
    await restoreFile(content, options).catch((error: unknown) => {
      if (!isFileError(error)) throw error;
      held.set(content.directory, () => recoverLayout(content.directory));
    });
    if (slice.isOver) await slice.giveWay();
  }
  const last = generations.at(-1);
  if (last !== undefined && lastLength > 0) await truncateJournal(dir, last, lastLength);
  const frozen = lastLength > 0 ? last : undefined;
  const recoverLayout = async (directory: string): Promise<void> => {
    if (held.has(directory)) {
      const contents = journals.contents.filter((content) => content.directory === directory);
      for (const content of contents) await restoreFile(content, options);
    }
    const layout = await layoutIn(directory);
    if (layout.isDirty) await folding.foldLayout(layout, journal, frozen);
    await history.append(directory, journals.recordsOf(directory));
  };
  for (const directory of directories) {
    try {
      await recoverLayout(directory);
    } catch (error) {
      // One repository must not keep all others from being served.
      if (!isRegistryError(error) && !isFileError(error)) throw error;
      options.assertOwned();
      held.set(directory, () => recoverLayout(directory));
      warnOfHeld(options.warn, error);
    }
  }
  return held;
}

/** True for an error of the file system about one file, such as missing rights. A full disk concerns all files. */
function isFileError(error: unknown): boolean {
  return hasCode(error, 'EACCES', 'EPERM', 'EIO', 'EISDIR', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EBADMSG', 'EUCLEAN');
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

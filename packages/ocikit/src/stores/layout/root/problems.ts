// Damage of journals that a root still has, for people.
import { FoundJournals, journalPath, quarantined } from '../journal/index.ts';

/**
 * A message for each damaged journal, and for each file that damaged records were saved in.
 *
 * @param dir the private directory of the root
 * @param options `isWriter`: false if the journals may belong to another process, or to one that has crashed
 */
export async function* journalProblems(
  dir: string,
  { isShared, isWriter }: { isShared: boolean; isWriter: boolean },
): AsyncGenerator<string, void, undefined> {
  const advice = 'changes of tags and manifests may be lost: push again what is missing';
  const journals = isWriter ? undefined : await FoundJournals.find(dir, isShared, noWarning);
  for (const { generation } of journals?.damaged ?? []) {
    yield `${journalPath(dir, generation)} has damaged records; ${advice}`;
  }
  for (const path of await quarantined(dir)) {
    yield `${path} has damaged records of a journal; ${advice}, then remove the file`;
  }
}

/** {@link journalProblems} tells the same. */
const noWarning = (): undefined => undefined;

// Sorting many names without holding up other work.
import { TimeSlice } from '../../model/index.ts';
import type { ListOptions } from '../../model/index.ts';

/** The number of names that can be sorted in less than a slice of time. */
const runLength = 2048;

/**
 * The requested part of a list of names, in byte order. It may hold all names in memory, because maintenance reads all
 * of them anyway. It lets other work run while it sorts them.
 *
 * @param names in any order; they may change meanwhile
 * @throws the signal's reason, also between two names
 */
export async function* page<T extends string>(
  names: Iterable<T> | AsyncIterable<T>,
  { startAfter, limit = Infinity, signal }: ListOptions,
): AsyncGenerator<T, void, undefined> {
  const slice = new TimeSlice();
  const runs = await sortedRuns(names, startAfter, slice);
  // The position in each run. There are few runs, so a search through all of them for each name is quick.
  const positions = runs.map(() => 0);
  let last: T | undefined;
  for (let left = limit; left > 0;) {
    signal?.throwIfAborted();
    const least = leastOf(runs, positions);
    if (least === undefined) return;
    positions[least.run] = least.position + 1;
    // A name that was removed and added again while the names were read is there twice.
    if (least.name === last) continue;
    last = least.name;
    left--;
    yield least.name;
    if (slice.isOver) await slice.giveWay();
  }
  signal?.throwIfAborted();
}

async function sortedRuns<T extends string>(
  names: Iterable<T> | AsyncIterable<T>,
  startAfter: string | undefined,
  slice: TimeSlice,
): Promise<T[][]> {
  const runs: T[][] = [];
  let run: T[] = [];
  for await (const name of names) {
    if (startAfter !== undefined && name <= startAfter) continue;
    run.push(name);
    if (run.length === runLength) {
      runs.push(run.toSorted());
      run = [];
    }
    if (slice.isOver) await slice.giveWay();
  }
  if (run.length > 0) runs.push(run.toSorted());
  return runs;
}

function leastOf<T extends string>(
  runs: readonly (readonly T[])[],
  positions: readonly number[],
): { run: number; position: number; name: T } | undefined {
  let least: { run: number; position: number; name: T } | undefined;
  for (const [run, names] of runs.entries()) {
    const position = positions[run] ?? 0;
    const name = names[position];
    if (name !== undefined && (least === undefined || name < least.name)) least = { run, position, name };
  }
  return least;
}

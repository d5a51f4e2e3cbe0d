import { TimeSlice } from '../../model/index.ts';
import type { ListOptions } from '../../model/index.ts';

/** So many names are put in order in less than a slice of time. */
const runLength = 2048;

/**
 * What is asked for of names in any order, in byte order. Maintenance looks through everything anyway, so it may keep
 * all names; it must not hold up others while it puts them in order.
 *
 * @param names may change meanwhile
 * @throws whatever the signal was aborted with, also between two names
 */
export async function* page<T extends string>(
  names: Iterable<T> | AsyncIterable<T>,
  { startAfter, limit = Infinity, signal }: ListOptions,
): AsyncGenerator<T, void, undefined> {
  const slice = new TimeSlice();
  const runs = await sortedRuns(names, startAfter, slice);
  // Where each run stands. They are few, so looking at all of them for each name is quick.
  const positions = runs.map(() => 0);
  let last: T | undefined;
  for (let left = limit; left > 0;) {
    signal?.throwIfAborted();
    const least = leastOf(runs, positions);
    if (least === undefined) return;
    positions[least.run] = least.position + 1;
    // Removed and added again while they were read, a name was there twice.
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

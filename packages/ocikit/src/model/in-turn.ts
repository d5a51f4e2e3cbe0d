// Long work of many callers: one after the other, and in slices.
import { TimeSlice } from './time-slice.ts';

let last: Promise<void> = Promise.resolve();

/**
 * Runs long work when the work of all earlier callers is done, so that twenty callers hold the thread no longer at a
 * time than one does. Other work of the process runs first.
 *
 * @example const digest = await inTurn(async () => digestOf(bytes));
 * @param work takes more than a few milliseconds; it gives way when its slice is over
 */
export function inTurn<T>(work: (slice: TimeSlice) => Promise<T>): Promise<T> {
  const result = last.then(async () => {
    const slice = new TimeSlice();
    await slice.giveWay();
    return work(slice);
  });
  // Without the result, which would stay in memory.
  last = result.then(nothing, nothing);
  return result;
}

function nothing(): void {
  // The caller of the work has its result or its error.
}

import type { ListOptions } from '../../model/index.ts';

/**
 * What is asked for of names in any order. Maintenance looks through everything anyway, so it may sort everything.
 *
 * @throws whatever the signal was aborted with, also between two names
 */
export function* page<T extends string>(
  names: Iterable<T>,
  { startAfter, limit, signal }: ListOptions,
): Generator<T, void, undefined> {
  const sorted = [...names].toSorted();
  const after = startAfter === undefined ? sorted : sorted.filter((name) => name > startAfter);
  for (const name of after.slice(0, limit)) {
    signal?.throwIfAborted();
    yield name;
    signal?.throwIfAborted();
  }
}

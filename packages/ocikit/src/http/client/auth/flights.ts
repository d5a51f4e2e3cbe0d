import { orAborted } from '../or-aborted.ts';

/**
 * Work that several wait for: who wants what is under way already waits for that.
 *
 * @param start is given a signal that is aborted when nobody waits any longer
 * @throws what `signal` was aborted with; the others go on waiting
 */
export type Join<T> = (
  key: string,
  signal: AbortSignal | undefined,
  start: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

interface Flight<T> {
  waiting: number;
  controller: AbortController;
  result: Promise<T>;
}

export function flights<T>(): Join<T> {
  const underWay = new Map<string, Flight<T>>();
  /** @returns whether it was still under way */
  const end = (key: string, flight: Flight<T>): boolean => underWay.get(key) === flight && underWay.delete(key);

  return async (key, signal, start) => {
    signal?.throwIfAborted();
    let flight = underWay.get(key);
    if (flight === undefined) {
      const controller = new AbortController();
      const begun = { waiting: 0, controller, result: start(controller.signal) };
      const onEnd = (): boolean => end(key, begun);
      begun.result.then(onEnd, onEnd);
      underWay.set(key, begun);
      flight = begun;
    }
    flight.waiting += 1;
    try {
      return await orAborted(flight.result, signal);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0 && end(key, flight)) flight.controller.abort();
    }
  };
}

/** Work that several wait for: who wants what is under way already waits for that. */
export class Flights<T> {
  readonly #underWay = new Map<string, Flight<T>>();

  /**
   * @param start is given a signal that is aborted when nobody waits any longer
   * @throws what `signal` was aborted with; the others go on waiting
   */
  async join(key: string, signal: AbortSignal | undefined, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    let flight = this.#underWay.get(key);
    if (flight === undefined) {
      const controller = new AbortController();
      const result = start(controller.signal);
      const begun = { waiting: 0, controller, result };
      const end = (): void => {
        this.#end(key, begun);
      };
      result.then(end, end);
      this.#underWay.set(key, begun);
      flight = begun;
    }
    flight.waiting += 1;
    try {
      return await orAborted(flight.result, signal);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0 && this.#end(key, flight)) flight.controller.abort();
    }
  }

  /** @returns whether it was still under way */
  #end(key: string, flight: Flight<T>): boolean {
    return this.#underWay.get(key) === flight && this.#underWay.delete(key);
  }
}

interface Flight<T> {
  waiting: number;
  controller: AbortController;
  result: Promise<T>;
}

async function orAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  let onAbort = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([
      result,
      aborted.then(() => {
        throw signal.reason;
      }),
    ]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

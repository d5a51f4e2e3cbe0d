// One run of an action for all callers that want its result at the same time.

/** Actions under way, each known by its key. A caller that asks for an action under way waits for that one. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** @param _abandoned `finish`: an action goes on when its last caller has left, and later callers can join it */
  constructor(_abandoned: 'finish') {
    // The cache keeps every result, so it needs no other way.
  }

  /**
   * Waits for the action under way with this key, or starts it.
   *
   * @param signal ends the waiting of this caller alone, with the signal's reason
   */
  join(key: string, signal: AbortSignal | undefined, start: () => Promise<T>): Promise<T> {
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = start().finally(() => this.#flights.delete(key));
      // All callers may have left before it fails.
      flight.catch(() => undefined);
      this.#flights.set(key, flight);
    }
    return abortable(flight, signal);
  }
}

/** Rejects with the signal's reason as soon as it is aborted. The work behind the promise goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

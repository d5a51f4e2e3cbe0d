/** One run of an action for all who want its outcome at the same time. */
export class Flights<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** @param signal ends the waiting of this caller; the action goes on, for the others and for those who come later */
  share(key: string, signal: AbortSignal | undefined, start: () => Promise<T>): Promise<T> {
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = start().finally(() => this.#flights.delete(key));
      // Everybody may have left by the time it fails.
      flight.catch(() => undefined);
      this.#flights.set(key, flight);
    }
    return abortable(flight, signal);
  }
}

/** Rejects with the signal's reason as soon as it is aborted. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

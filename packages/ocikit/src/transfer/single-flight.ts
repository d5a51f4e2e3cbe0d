// One run of an action for all callers that want its result at the same time.
import { abortable } from './abortable.ts';

interface Flight<T> {
  waiting: number;
  readonly controller: AbortController;
  readonly result: Promise<T>;
}

/** Actions under way, each known by its key. A caller that asks for an action under way waits for that one. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #isAborted: boolean;

  /**
   * @param abandoned the fate of an action when its last caller has left: `abort` aborts its signal, and a later
   * caller starts it again; `finish` lets it run on, and a later caller can still join it
   */
  constructor(abandoned: 'abort' | 'finish') {
    this.#isAborted = abandoned === 'abort';
  }

  /**
   * Waits for the action under way with this key, or starts it.
   *
   * @param signal ends the waiting of this caller alone, with the signal's reason
   * @param start is given a signal that says when no caller waits any longer; it is aborted only under `abort`
   */
  async join(key: string, signal: AbortSignal | undefined, start: (abandoned: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, start);
    flight.waiting += 1;
    try {
      return await abortable(flight.result, signal);
    } finally {
      flight.waiting -= 1;
      if (this.#isAborted && flight.waiting === 0 && this.#end(key, flight)) flight.controller.abort();
    }
  }

  #begin(key: string, start: (abandoned: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { waiting: 0, controller, result: start(controller.signal) };
    const onEnd = (): boolean => this.#end(key, flight);
    flight.result.then(onEnd, onEnd);
    this.#flights.set(key, flight);
    return flight;
  }

  /** @returns whether it was still under way */
  #end(key: string, flight: Flight<T>): boolean {
    return this.#flights.get(key) === flight && this.#flights.delete(key);
  }
}

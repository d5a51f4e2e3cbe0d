// The caller of a unified registry, while its members are asked for it.
import { linkSignal } from '../../../model/index.ts';
import type { CallOptions, LinkedSignal, OnTransferEvent, TransferEvent } from '../../../model/index.ts';

/** Runs a call for its caller, and ends the work for the caller afterwards. `call`: the options for the members. */
export async function withCaller<O extends CallOptions, T>(
  options: O,
  run: (caller: Caller, call: O) => Promise<T>,
): Promise<T> {
  const caller = new Caller(options);
  try {
    return await run(caller, { ...options, signal: caller.signal, onEvent: caller.onEvent });
  } finally {
    caller.leave();
  }
}

/**
 * The caller, while members are asked for it. A member's failure may be the caller's wish: its signal was aborted, or
 * its listener threw. Only the member's own failure leads to the next member.
 */
export class Caller {
  /** The signal for the members. It is aborted with the caller's signal, and when the listener throws. */
  readonly signal: AbortSignal;
  readonly #link: LinkedSignal;
  readonly #options: CallOptions;
  #thrown: { error: unknown } | undefined;

  constructor(options: CallOptions) {
    options.signal?.throwIfAborted();
    this.#options = options;
    this.#link = linkSignal(options.signal);
    this.signal = this.#link.signal;
  }

  /** @throws the error with which the caller has ended the call */
  assertWants(): void {
    this.#options.signal?.throwIfAborted();
    if (this.#thrown !== undefined) throw this.#thrown.error;
  }

  /** The listener for the members; undefined if the caller has none. */
  get onEvent(): OnTransferEvent | undefined {
    return this.#options.onEvent === undefined ? undefined : this.tell;
  }

  /** Tells the caller's listener of an event. */
  readonly tell = (event: TransferEvent): void => {
    if (this.#thrown !== undefined) throw this.#thrown.error;
    try {
      this.#options.onEvent?.(event);
    } catch (error) {
      this.#thrown = { error };
      this.#link.abort(error);
      throw error;
    }
  };

  /** Ends the work for this caller. */
  leave(): void {
    this.#link.unlink();
  }
}

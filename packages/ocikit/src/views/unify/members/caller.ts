import { linkSignal } from '../../../model/index.ts';
import type { CallOptions, LinkedSignal, OnTransferEvent, TransferEvent } from '../../../model/index.ts';

/**
 * Who has called, while members are asked on its behalf. What a member fails with may be its own fault or the caller's wish:
 * a signal that was aborted, or a listener that has had enough. Only the member's own fault makes others be asked.
 */
export class Caller {
  /** For the members: ends with the caller's signal, and when the listener throws. */
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

  /** @throws what the caller has ended the call with */
  assertWants(): void {
    this.#options.signal?.throwIfAborted();
    if (this.#thrown !== undefined) throw this.#thrown.error;
  }

  get onEvent(): OnTransferEvent | undefined {
    return this.#options.onEvent === undefined ? undefined : this.tell;
  }

  /** Tells the caller's listener. */
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

  /** Nothing more is done on its behalf. */
  leave(): void {
    this.#link.unlink();
  }
}

import type { OnTransferEvent, TransferEvent } from '../../../model/index.ts';

import type { Caller } from '../members/index.ts';

/**
 * What several members tell of the same transfer, as of one: as many bytes have moved as at the member that is furthest
 * behind, and only when all have ended is it over, which is for its caller to tell.
 */
export class Progress {
  readonly #caller: Caller;
  /** Bytes at each member that has not ended. */
  readonly #transferred = new Map<number, number>();
  #told = 0;

  /** @param count how many members there are */
  constructor(caller: Caller, count: number) {
    this.#caller = caller;
    for (let i = 0; i < count; i++) this.#transferred.set(i, 0);
  }

  /** @returns undefined if nobody listens */
  listener(i: number): OnTransferEvent | undefined {
    return this.#caller.onEvent === undefined ? undefined : (event) => this.#tell(i, event);
  }

  /** Nobody waits for this member any more. */
  leave(i: number): void {
    this.#transferred.delete(i);
  }

  #tell(i: number, event: TransferEvent): void {
    if (event.type === 'retried' || event.type === 'resumed') this.#caller.tell(event);
    if (event.type !== 'bytes') return;
    this.#transferred.set(i, event.transferred);
    const transferred = Math.min(...this.#transferred.values());
    if (transferred <= this.#told) return;
    this.#told = transferred;
    this.#caller.tell({ ...event, transferred });
  }
}

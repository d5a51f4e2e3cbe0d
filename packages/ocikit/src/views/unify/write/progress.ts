// Combines the transfer events of several members into those of one transfer.
import type { OnTransferEvent, TransferEvent } from '../../../model/index.ts';

import type { Caller } from '../members/index.ts';

/**
 * The events of one transfer to several members. Its transferred bytes are those of the member that is furthest behind.
 * Its end is told by the caller of this class, when all members have ended.
 */
export class Progress {
  readonly #caller: Caller;
  /** Bytes at each member that has not ended. */
  readonly #transferred = new Map<number, number>();
  #told = 0;

  /** @param count the number of members */
  constructor(caller: Caller, count: number) {
    this.#caller = caller;
    for (let i = 0; i < count; i++) this.#transferred.set(i, 0);
  }

  /**
   * The listener for one member.
   *
   * @returns undefined if the caller has no listener
   */
  listener(i: number): OnTransferEvent | undefined {
    return this.#caller.onEvent === undefined ? undefined : (event) => this.#tell(i, event);
  }

  /** The member has ended: its bytes do not count any more. */
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

// Calls that change one repository, one after the other.
import { onAbort } from '../../../model/index.ts';

/** Runs the actions of one repository one after another. */
export class RepositoryQueue {
  readonly #queues = new Map<string, Queue>();

  /**
   * Runs an action when all earlier ones of the repository have ended.
   *
   * @param signal ends the wait. The action watches it by itself
   */
  async run<T>(repository: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(repository) ?? { length: 0, last: Promise.resolve() };
    this.#queues.set(repository, queue);
    const before = queue.last;
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    // If a caller leaves the queue, later callers still wait for the earlier ones.
    queue.last = before.then(() => ended);
    queue.length++;
    try {
      await beforeAbort(before, signal);
      return await act();
    } finally {
      end();
      queue.length--;
      if (queue.length === 0) this.#queues.delete(repository);
    }
  }
}

interface Queue {
  length: number;
  last: Promise<void>;
}

async function beforeAbort(event: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  let forget: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => {
    if (signal !== undefined) forget = onAbort(signal, resolve);
  });
  try {
    await Promise.race([event, aborted]);
  } finally {
    forget?.();
  }
  signal?.throwIfAborted();
}

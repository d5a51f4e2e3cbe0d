// Locks by name, each held alone or shared.
import { onAbort } from '../../model/index.ts';

interface Waiter {
  alone: boolean;
  enter: () => void;
}

interface Lock {
  /** The number of holders. A holder that is alone is the only one. */
  inside: number;
  isAlone: boolean;
  /** In the order in which they came, so that no caller waits for ever. */
  waiting: Waiter[];
}

/** `alone`: the only holder. `together`: beside other holders that share it. */
export type Sharing = 'alone' | 'together';

/** Locks by name. A lock exists as long as a caller holds it or waits for it. */
export class Locks {
  readonly #locks = new Map<string, Lock>();

  /**
   * Runs a function while it holds the lock.
   *
   * @param signal ends the waiting
   */
  async hold<T>(name: string, sharing: Sharing, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(name) ?? { inside: 0, isAlone: false, waiting: [] };
    this.#locks.set(name, lock);
    try {
      await enter(lock, sharing === 'alone', signal);
      try {
        return await run();
      } finally {
        lock.inside--;
        letIn(lock);
      }
    } finally {
      if (lock.inside === 0 && lock.waiting.length === 0) this.#locks.delete(name);
    }
  }

  /** Holds all of them, alone. All callers take locks in the same order, so that no two wait for each other. */
  async holdAll<T>(names: readonly string[], signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const hold = names
      .toSorted()
      .reduceRight<() => Promise<T>>((inner, name) => () => this.hold(name, 'alone', signal, inner), run);
    return hold();
  }
}

async function enter(lock: Lock, alone: boolean, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const waiter = { alone, enter: resolve };
    const leave = (): void => {
      const at = lock.waiting.indexOf(waiter);
      // A caller that holds the lock already sees the signal in its function.
      if (at < 0) return;
      lock.waiting.splice(at, 1);
      letIn(lock);
      reject(signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason)));
    };
    waiter.enter = () => {
      forget?.();
      resolve();
    };
    lock.waiting.push(waiter);
    const forget = signal === undefined ? undefined : onAbort(signal, leave);
    letIn(lock);
    if (signal?.aborted === true) leave();
  });
}

function letIn(lock: Lock): void {
  for (let next = lock.waiting[0]; next !== undefined; [next] = lock.waiting) {
    if (lock.inside > 0 && (lock.isAlone || next.alone)) return;
    lock.waiting.shift();
    lock.inside++;
    lock.isAlone = next.alone;
    next.enter();
  }
}

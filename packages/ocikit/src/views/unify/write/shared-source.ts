import { linkSignal, readSource } from '../../../model/index.ts';
import type { BlobSource, LinkedSignal } from '../../../model/index.ts';

/** Milliseconds after which nobody waits any longer for a reader that has not begun. */
const defaultPatience = 5000;

export interface SharedSourceOptions {
  signal?: AbortSignal | undefined;
  patience?: number | undefined;
  /** A reader has not begun while others wait: it is left out, and gets nothing, unless the source can be opened again. */
  onLate?: ((i: number) => void) | undefined;
}

/** A source that several read at the same time. */
export interface SharedSource {
  /** One for each reader, in their order. */
  readonly sources: readonly BlobSource[];
  /** What the source has failed with, which is no reader's fault. */
  readonly failure: { error: unknown } | undefined;
  /** This reader has ended, however much it has read. */
  leave(i: number): void;
}

/**
 * Lets several read one source. What can be read as often as one likes is handed on as it is; a function is called once for
 * all of them, and again for a reader that begins anew. Of anything else each piece is handed to all, and the next one is
 * taken when all of them ask for it: so no more than one piece is held, and the slowest sets the pace. Whoever leaves early
 * holds nobody up, and with the last one the source is left.
 *
 * Who waits for the others may be what they wait for, if all of them have to share a few connections. So a reader that has not
 * begun for long is left out.
 */
export function shareSource(source: BlobSource, count: number, options: SharedSourceOptions = {}): SharedSource {
  if (source instanceof Uint8Array || source instanceof Blob) {
    return { sources: Array.from({ length: count }, () => source), failure: undefined, leave: () => undefined };
  }
  const tee = new Tee(source, count, options);
  return {
    sources: tee.branches.map((branch) => (typeof source === 'function' ? onceThen(branch, source) : branch)),
    get failure() {
      return tee.failure;
    },
    leave: (i) => tee.branches[i]?.leave(),
  };
}

function onceThen(branch: Branch, again: Extract<BlobSource, () => unknown>): BlobSource {
  branch.isHandedOut = false;
  return () => {
    if (branch.isHandedOut || branch.hasLeft) {
      branch.leave();
      return again();
    }
    branch.isHandedOut = true;
    return branch;
  };
}

type Next = IteratorResult<Uint8Array, undefined>;

/** Takes piece after piece from the source, when all that read it want one. */
class Tee {
  readonly branches: readonly Branch[];
  failure: { error: unknown } | undefined;
  readonly #pieces: AsyncIterator<Uint8Array, void, undefined>;
  readonly #link: LinkedSignal;
  readonly #patience: number;
  readonly #onLate: (i: number) => void;
  #state: 'idle' | 'taking' | 'ended' = 'idle';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: BlobSource, count: number, { signal, patience = defaultPatience, onLate }: SharedSourceOptions) {
    this.#link = linkSignal(signal);
    this.#pieces = readSource(source, this.#link.signal);
    this.#patience = patience;
    this.#onLate = onLate ?? (() => undefined);
    this.branches = Array.from({ length: count }, () => new Branch(() => this.#pump()));
  }

  #pump(): void {
    const live = this.branches.filter((branch) => !branch.hasLeft);
    if (live.length === 0) return this.#leave();
    const behind = live.filter((branch) => !branch.isWaiting);
    this.#watch(behind, live.length);
    if (behind.length > 0 || this.#state === 'taking') return;
    if (this.#state === 'ended') return this.#deliver({ done: true, value: undefined });
    void this.#take();
  }

  async #take(): Promise<void> {
    this.#state = 'taking';
    try {
      const next = await this.#pieces.next();
      this.#state = next.done === true ? 'ended' : 'idle';
      this.#deliver(next.done === true ? { done: true, value: undefined } : next);
    } catch (error) {
      this.#state = 'ended';
      this.failure = { error };
      this.#deliver(undefined);
    }
  }

  #deliver(next: Next | undefined): void {
    // Those that ask for more at once must not be given this one again.
    for (const branch of this.branches.filter(({ isWaiting }) => isWaiting)) {
      if (this.failure !== undefined) branch.fail(this.failure.error);
      else if (next !== undefined) branch.give(next);
    }
  }

  /** @param behind those that the others wait for */
  #watch(behind: readonly Branch[], liveCount: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (behind.length === 0 || behind.length === liveCount || behind.some(({ hasBegun }) => hasBegun)) return;
    this.#timer = setTimeout(() => {
      for (const branch of behind) {
        branch.leave(new Error('the others did not wait any longer'));
        // Who has not opened the source yet will do so by itself.
        if (branch.isHandedOut) this.#onLate(this.branches.indexOf(branch));
      }
    }, this.#patience);
  }

  #leave(): void {
    clearTimeout(this.#timer);
    const isWaiting = this.#state === 'taking';
    this.#link.unlink();
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    // A source that hangs is left without waiting for it.
    if (isWaiting) this.#link.abort(new DOMException('nobody reads the source any more', 'AbortError'));
    this.#pieces.return?.().catch(() => undefined);
  }
}

/** What one of several gets of a source. By hand, as a generator that waits cannot be left. */
class Branch implements AsyncIterableIterator<Uint8Array, undefined> {
  /** Whether its reader has it, and counts on it. */
  isHandedOut = true;
  hasBegun = false;
  hasLeft = false;
  readonly #onChange: () => void;
  #lateness: Error | undefined;
  #waiting: { resolve: (next: Next) => void; reject: (error: unknown) => void } | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Next> {
    this.hasBegun = true;
    // What it has not read must not look like the end.
    if (this.#lateness !== undefined) return Promise.reject(this.#lateness);
    if (this.hasLeft) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#onChange();
    });
  }

  async return(): Promise<Next> {
    this.leave();
    return { done: true, value: undefined };
  }

  give(next: Next): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (next.done === true) this.leave();
    waiting?.resolve(next);
  }

  fail(error: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.leave();
    waiting?.reject(error);
  }

  /** @param lateness why it is left out, if it did not leave by itself */
  leave(lateness?: Error): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.#lateness = lateness;
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
    this.#onChange();
  }
}

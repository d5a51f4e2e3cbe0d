// Lets several readers read one source, in step.
import { linkSignal, readSource } from '../../../model/index.ts';
import type { BlobSource, LinkedSignal } from '../../../model/index.ts';

/** Milliseconds for which readers wait for a reader that has not begun. */
const defaultPatience = 5000;

/** How a source is shared. */
export interface SharedSourceOptions {
  /** Ends the reading of the source. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for which readers wait for a reader that has not begun. Default: 5,000. */
  patience?: number | undefined;
  /** Called with the place of a reader that is left out, as it has not begun in time. It gets nothing of the source. */
  onLate?: ((i: number) => void) | undefined;
}

/** A source with several readers. */
export interface SharedSource {
  /** One for each reader, in their order. */
  readonly sources: readonly BlobSource[];
  /** The error of the source itself, as opposed to a reader's. */
  readonly failure: { error: unknown } | undefined;
  /** Notes that this reader has ended, whether or not it has read all. */
  leave(i: number): void;
}

/**
 * Lets several readers read one source. Bytes and Blobs can be read any number of times, so each reader gets them as
 * they are. A function is called once for all readers, and again for a reader that starts over. From any other source,
 * each piece goes to all readers, and the next piece is read when all of them ask for it. So at most one piece is held,
 * and the slowest reader sets the pace. A reader that leaves early delays no other reader. When the last one leaves,
 * the source is closed.
 *
 * If the readers share a few connections, one reader may wait for a connection that another waiting reader holds. So a
 * reader that does not begin in time is left out.
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

/** Reads piece after piece from the source, each when all readers ask for it. */
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
    // Take the list first: a reader that asks again at once must not get this piece twice.
    for (const branch of this.branches.filter(({ isWaiting }) => isWaiting)) {
      if (this.failure !== undefined) branch.fail(this.failure.error);
      else if (next !== undefined) branch.give(next);
    }
  }

  /** @param behind the readers that the others wait for */
  #watch(behind: readonly Branch[], liveCount: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (behind.length === 0 || behind.length === liveCount || behind.some(({ hasBegun }) => hasBegun)) return;
    this.#timer = setTimeout(() => {
      for (const branch of behind) {
        branch.leave(new Error('the reader was left out: it did not begin in time'));
        // A reader that has not opened the source yet opens one of its own later.
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
    // Do not wait for a source that hangs.
    if (isWaiting) this.#link.abort(new DOMException('all readers of the source have left', 'AbortError'));
    this.#pieces.return?.().catch(() => undefined);
  }
}

/** The source as one reader sees it. No generator, as a generator that waits cannot be ended. */
class Branch implements AsyncIterableIterator<Uint8Array, undefined> {
  /** Whether its reader has it, and relies on it. */
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
    // The pieces that it has not read must not look like the end.
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

  /** @param lateness the reason, if it is left out and has not left by itself */
  leave(lateness?: Error): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.#lateness = lateness;
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
    this.#onChange();
  }
}

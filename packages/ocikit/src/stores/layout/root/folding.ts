// Folding: when the indexes of a root are written anew, in which steps, and what may be removed after it.
import type { Files, Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { HistoryFiles, Journal, Outcome, UnsettledContent } from '../journal/index.ts';

/**
 * Bytes. The journal is folded when it is larger than this and larger than a quarter of the indexes that it extends.
 */
const smallestFold = 4 * 1024 * 1024;
/** Bytes of small files that the journal may have in addition. */
const largestContent = 64 * 1024 * 1024;
/** Layouts that are folded for a collection between two rests. They share a new generation. */
const batchSize = 64;
/** Layouts of these that are folded at the same time. Pushes need the same threads. */
const batchConcurrency = 8;
/** The part of a batch's time that is work: its steps pause and wait by themselves. */
const batchWork = 0.25;
/** Files that are settled in one go before a generation is removed. A collection's fold may come in between. */
const settledAtOnce = 64;
/** Milliseconds without a push after which the indexes are written, so that other tools see the pushes. */
const idleFold = 2000;
/** The same for a large index; and the longest time for a small one while clients push elsewhere. */
const longestIdle = 30_000;
/** Entries. An index with more is large. */
const smallIndex = 5000;
/** After a fold, nothing is folded only for other tools for this many times its duration, at most the longest time. */
const rest = 4;
/** Milliseconds of pause after each layout while clients push. */
const layoutPause = 20;
const entrySize = 200;

/** The parts of a root that a fold works on. */
export interface FoldingOptions {
  /** Writes the files of the root. */
  files: Files;
  /** Called if a fold in the background fails. */
  warn: Warn;
  /** Small files that only the journal makes durable. */
  unsettled: UnsettledContent;
  /** The history of tags. */
  history: HistoryFiles;
  /** Directories of layouts for which the current generation has a `base` record. */
  based: Set<string>;
  /** The journal; undefined while this process does not write. */
  journal: () => Journal | undefined;
  /** The open layouts. */
  layouts: () => Promise<Layout>[];
  /** Throws if another process has taken the lock. */
  assertOwned: () => void;
}

/** Writes the indexes that the journal extends, and removes the journal's old generations. */
export class Folding {
  readonly #options: FoldingOptions;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Generations that a fold has frozen and not yet removed, oldest first. */
  readonly #frozen: number[] = [];
  /** Bytes of the frozen generations. */
  readonly #frozenLengths = new Map<number, FrozenLength>();
  /** The sum of them. */
  readonly #frozenLength: FrozenLength = { length: 0, contentLength: 0 };
  /** Layouts that a collection waits for and that have not begun to be folded. */
  readonly #wanted = new Map<Layout, Wanted>();
  #batches: Promise<void> | undefined;
  /** Counts folds, to tell which of two began later. */
  #begun = 0;
  /** When the last successful fold of each layout began, in this count. */
  readonly #foldedAt = new WeakMap<Layout, number>();
  /** Resolves when what is being folded is done: a layout must not be folded twice at a time. */
  #turn: Promise<void> = Promise.resolve();
  /** Layouts that recovery could not open, by directory, and how to try again. */
  readonly #held = new Map<string, () => Promise<void>>();
  /** The layouts that the last fold could not write, and why. */
  readonly #failed = new Map<string, unknown>();
  #idle: ReturnType<typeof setTimeout> | undefined;
  /** The shortest wait that a change since the last fold asks for. */
  #wait = longestIdle;
  /** When the first change to a small index came after the last fold, by a monotonic clock. */
  #changedAt: number | undefined;
  /** When the next fold may begin that nothing but other tools, or a broken repository, asks for. */
  #restUntil = 0;
  #isStopped = false;

  constructor(options: FoldingOptions) {
    this.#options = options;
  }

  /** Call it after each commit: folds if the journal is long, and when no more records come. */
  soon(journal: Journal, layout: Layout): void {
    const frozen = this.#frozenLength;
    const contentLength = journal.contentLength + frozen.contentLength;
    const length = journal.length + frozen.length - contentLength;
    const isLong = length > Math.max(smallestFold, (layout.size * entrySize) / 4) || contentLength > largestContent;
    const isDue = isLong || this.#options.unsettled.isDue;
    // While a repository is broken, no fold makes the journals shorter, so folds rest between two tries.
    const rests = (this.#failed.size > 0 || this.#held.size > 0) && performance.now() < this.#restUntil;
    if (isDue && !rests) this.now();
    else this.whenIdle(layout);
  }

  /**
   * Folds when no more records have come for a while.
   *
   * @param changed the layout that other tools should see; without it there is no hurry
   */
  whenIdle(changed?: Layout): void {
    clearTimeout(this.#idle);
    if (this.#isStopped) return;
    const now = performance.now();
    if (changed !== undefined && changed.size <= smallIndex) {
      this.#wait = idleFold;
      this.#changedAt ??= now;
    }
    const left = longestIdle - (this.#changedAt === undefined ? 0 : now - this.#changedAt);
    this.#foldIn(Math.max(Math.min(this.#wait, left), this.#restUntil - now));
  }

  #foldIn(delay: number): void {
    this.#idle = setTimeout(() => {
      // The running fold may have passed the layout that was changed last.
      if (this.#running === undefined) this.now();
      else this.#foldIn(idleFold);
    }, delay);
    this.#idle.unref();
  }

  /** Folds in the background. If it fails, the journal still has everything. */
  now(): void {
    if (this.#running !== undefined || this.#isStopped) return;
    const warn = (error: unknown): void => this.#options.warn('the index could not be written', { error });
    this.#foldAfterRunning().then(() => this.#failed.forEach(warn), warn);
  }

  /**
   * Folds without pauses. A layout that cannot be written does not keep the others from being written.
   *
   * @param directory the layout that the caller needs; undefined: all
   * @throws the error of the layout that could not be written
   */
  async fold(directory?: string): Promise<void> {
    await this.#options.files.throttle.atFullSpeed(() => this.#foldAfterRunning());
    this.#assertWritten(directory);
  }

  #assertWritten(directory?: string): void {
    for (const [failed, error] of this.#failed) if (directory === undefined || failed === directory) throw error;
  }

  /**
   * Keeps old generations, because they have records of layouts that cannot be read now. Each fold tries these again.
   *
   * @param retries how to recover each layout, by directory
   */
  hold(generations: readonly number[], retries: ReadonlyMap<string, () => Promise<void>>): void {
    this.#frozen.unshift(...generations);
    for (const [directory, retry] of retries) this.#held.set(directory, retry);
  }

  /** True if the journals have records of this layout that are not in its index, and that the open layout lacks. */
  isHeld(directory: string): boolean {
    return this.#held.has(directory);
  }

  /**
   * Writes the index of one layout, with everything that is committed now. It does not wait for a fold of all layouts,
   * so it ends in bounded time under any load. While clients push, such folds rest in between.
   */
  foldOne(layout: Layout): Promise<void> {
    const wanted = this.#wanted.get(layout) ?? newWanted();
    this.#wanted.set(layout, wanted);
    this.#batches ??= this.#foldBatches();
    return wanted.done;
  }

  async #foldBatches(): Promise<void> {
    const { throttle } = this.#options.files;
    try {
      while (this.#wanted.size > 0) {
        let started = 0;
        await throttle.withinShare(() =>
          this.#inTurn(() => {
            started = performance.now();
            return this.#foldBatch();
          }),
        );
        await throttle.rest((performance.now() - started) * batchWork);
      }
    } finally {
      this.#batches = undefined;
    }
  }

  /** Never rejects: each caller gets the error of its own layout. */
  async #foldBatch(): Promise<void> {
    const batch = [...this.#wanted].slice(0, batchSize);
    for (const [layout] of batch) this.#wanted.delete(layout);
    try {
      const journal = this.#options.journal();
      if (journal === undefined) throw new Error('this process does not write');
      // A generation without records of these layouts stays open.
      if (batch.some(([{ directory }]) => this.#options.based.has(directory))) await this.#rotate(journal);
      const frozen = this.#frozen.at(-1);
      const left = batch.values();
      const fold = async (): Promise<void> => {
        for (const [layout, { resolve, reject }] of left) {
          await this.#foldIfDirty(layout, journal, frozen).then(() => resolve(), reject);
        }
      };
      await Promise.all(Array.from({ length: batchConcurrency }, fold));
    } catch (error) {
      for (const [, { reject }] of batch) reject(error);
    }
  }

  /** Starts no more folds by itself. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#idle);
  }

  /** Waits for running folds, and writes everything that is left. */
  async finish(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
    await this.#batches;
    await this.#fold();
    // The second fold writes only the edits that were made during the first.
    await this.#fold();
    this.#assertWritten();
  }

  #foldAfterRunning(): Promise<void> {
    // A running fold may have passed the layout that was changed last.
    this.#next ??= (async (): Promise<void> => {
      await this.#running?.catch(() => undefined);
      this.#next = undefined;
      this.#running = this.#fold().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    })();
    return this.#next;
  }

  async #fold(): Promise<void> {
    const journal = this.#options.journal();
    if (journal === undefined) return;
    this.#wait = longestIdle;
    this.#changedAt = undefined;
    const began = performance.now();
    try {
      await this.#foldAll(journal);
    } finally {
      const ended = performance.now();
      this.#restUntil = ended + Math.min((ended - began) * rest, longestIdle);
    }
  }

  async #foldAll(journal: Journal): Promise<void> {
    await this.#inTurn(() => this.#rotate(journal));
    const since = this.#begun;
    // Generations left by a failed fold are replayed before this one, so they are removed with it.
    const frozen = this.#frozen.at(-1);
    let isWatching = false;
    this.#failed.clear();
    for (const opening of this.#options.layouts()) {
      const layout = await opening.catch(() => undefined);
      if (layout === undefined) continue;
      try {
        const isFolded = await this.#inTurn(async () => {
          // A collection has folded it, after the new generation began.
          if ((this.#foldedAt.get(layout) ?? 0) > since) return false;
          return this.#foldIfDirty(layout, journal, frozen);
        });
        if (isFolded) await this.#options.files.throttle.pause(layoutPause);
      } catch (error) {
        // Another process may have taken the lock: then no layout can be written.
        this.#options.assertOwned();
        this.#failed.set(layout.directory, error);
      }
      isWatching ||= layout.isWatching;
    }
    if (isWatching) this.whenIdle();
    await this.#options.history.flush();
    await this.#recoverHeld();
    if (this.#failed.size > 0 || this.#held.size > 0) this.whenIdle();
    // A caller of foldOne may have frozen further generations meanwhile, which other layouts still need.
    else if (frozen !== undefined) await this.removeGenerations(journal, this.#frozen, frozen);
  }

  /** Tries again to recover the layouts that could not be read. */
  async #recoverHeld(): Promise<void> {
    for (const [directory, retry] of this.#held) {
      try {
        // It folds the layout, which a caller of foldOne may want as well.
        await this.#inTurn(retry);
        this.#held.delete(directory);
      } catch (error) {
        this.#options.assertOwned();
        warnOfHeld(this.#options.warn, error);
      }
    }
  }

  /** Runs after everything that got its turn before. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #rotate(journal: Journal): Promise<void> {
    let lengths = { length: 0, contentLength: 0 };
    const rotated = await journal.rotate(({ length, contentLength }) => {
      lengths = { length, contentLength };
      this.#options.based.clear();
    });
    if (rotated === undefined) return;
    this.#frozen.push(rotated);
    this.#frozenLengths.set(rotated, lengths);
    this.#frozenLength.length += lengths.length;
    this.#frozenLength.contentLength += lengths.contentLength;
  }

  /** @returns true if the layout had changes */
  async #foldIfDirty(layout: Layout, journal: Journal, frozen: number | undefined): Promise<boolean> {
    await layout.mergeReplaced();
    if (!layout.isDirty) return false;
    await this.foldLayout(layout, journal, frozen);
    return true;
  }

  /**
   * Folds one layout.
   *
   * @param frozen the newest generation that will be removed; undefined if there is none
   */
  async foldLayout(layout: Layout, journal: Journal, frozen: number | undefined): Promise<void> {
    const { directory } = layout;
    this.#options.assertOwned();
    const begun = ++this.#begun;
    await layout.fold(async (sha256) => {
      // An index must not name files that may be missing after a loss of power.
      await this.#options.unsettled.settle(this.#options.unsettled.filesOf(directory));
      if (frozen !== undefined) await journal.appendTo(frozen, { op: 'folded', directory, sha256 });
    });
    // Records that came meanwhile named the previous index as their base.
    if (this.#options.based.has(directory)) {
      await journal.append({ records: [{ op: 'base', directory, sha256: layout.sha256 }] }, noOutcome);
    }
    this.#foldedAt.set(layout, begun);
  }

  /**
   * Removes the oldest generations, after making the files durable that need them.
   *
   * @param newest the last one to remove
   */
  async removeGenerations(
    journal: Journal,
    generations: number[],
    newest: number | undefined = generations.at(-1),
  ): Promise<void> {
    if (newest === undefined) return;
    const files = this.#options.unsettled.all().filter(({ generation }) => generation <= newest);
    for (let at = 0; at < files.length; at += settledAtOnce) {
      await this.#options.unsettled.settle(files.slice(at, at + settledAtOnce));
    }
    for (let oldest = generations[0]; oldest !== undefined && oldest <= newest; oldest = generations[0]) {
      await journal.remove(oldest);
      generations.shift();
      this.#noteRemoved(oldest);
    }
    // Not earlier: while a journal exists, a removed file must be noted in it.
    this.#options.unsettled.forgetAll(files);
  }

  #noteRemoved(generation: number): void {
    const lengths = this.#frozenLengths.get(generation);
    if (lengths === undefined) return;
    this.#frozenLengths.delete(generation);
    this.#frozenLength.length -= lengths.length;
    this.#frozenLength.contentLength -= lengths.contentLength;
  }
}

interface FrozenLength {
  length: number;
  contentLength: number;
}

/** The callers that wait for a fold of one layout. */
interface Wanted {
  done: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

function newWanted(): Wanted {
  let settlers: Omit<Wanted, 'done'> | undefined;
  const done = new Promise<void>((resolve, reject) => {
    settlers = { resolve, reject };
  });
  return Object.assign({ done, resolve: () => undefined, reject: () => undefined }, settlers);
}

/** Warns of a layout whose records stay in the journals. */
export function warnOfHeld(warn: Warn, error: unknown): void {
  warn('a repository cannot be read: its last changes stay in the journal until it can', { error });
}

/** For records that are not visible by themselves. */
export const noOutcome: Outcome = { apply: () => undefined, undo: () => undefined };

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
const idleFold = 30_000;
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
  /** Layouts that recovery could not open, by directory, and how to try again. */
  readonly #held = new Map<string, () => Promise<void>>();
  /** The layouts that the last fold could not write, and why. */
  readonly #failed = new Map<string, unknown>();
  #idle: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(options: FoldingOptions) {
    this.#options = options;
  }

  /** Call it after each commit: folds if the journal is long, and when no more records come. */
  soon(journal: Journal, layout: Layout): void {
    const { contentLength } = journal;
    const length = journal.length - contentLength;
    const isLong = length > Math.max(smallestFold, (layout.size * entrySize) / 4) || contentLength > largestContent;
    if (isLong || this.#options.unsettled.isDue) this.now();
    else this.whenIdle();
  }

  /** Folds when no more records have come for a while. */
  whenIdle(): void {
    clearTimeout(this.#idle);
    if (this.#isStopped) return;
    this.#idle = setTimeout(() => this.now(), idleFold);
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

  /** Starts no more folds by itself. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#idle);
  }

  /** Waits for running folds, and writes everything that is left. */
  async finish(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
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
    const rotated = await journal.rotate(() => this.#options.based.clear());
    if (rotated !== undefined) this.#frozen.push(rotated);
    // Generations left by a failed fold are replayed before this one, so they are removed with it.
    const frozen = this.#frozen.at(-1);
    let isWatching = false;
    this.#failed.clear();
    for (const opening of this.#options.layouts()) {
      const layout = await opening.catch(() => undefined);
      if (layout === undefined) continue;
      try {
        await layout.mergeReplaced();
        if (layout.isDirty) await this.foldLayout(layout, journal, frozen);
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
    if (this.#failed.size === 0 && this.#held.size === 0) await this.removeGenerations(journal, this.#frozen);
    else this.whenIdle();
  }

  /** Tries again to recover the layouts that could not be read. */
  async #recoverHeld(): Promise<void> {
    for (const [directory, retry] of this.#held) {
      try {
        await retry();
        this.#held.delete(directory);
      } catch (error) {
        this.#options.assertOwned();
        warnOfHeld(this.#options.warn, error);
      }
    }
  }

  /**
   * Folds one layout.
   *
   * @param frozen the newest generation that will be removed; undefined if there is none
   */
  async foldLayout(layout: Layout, journal: Journal, frozen: number | undefined): Promise<void> {
    const { directory } = layout;
    this.#options.assertOwned();
    await layout.fold(async (sha256) => {
      // An index must not name files that may be missing after a loss of power.
      await this.#options.unsettled.settle(
        this.#options.unsettled.all().filter((file) => file.directory === directory),
      );
      if (frozen !== undefined) await journal.appendTo(frozen, { op: 'folded', directory, sha256 });
    });
    // Records that came meanwhile named the previous index as their base.
    if (this.#options.based.has(directory)) {
      await journal.append({ records: [{ op: 'base', directory, sha256: layout.sha256 }] }, noOutcome);
    }
  }

  /** Removes the oldest generations, after making the files durable that need them. */
  async removeGenerations(journal: Journal, generations: number[]): Promise<void> {
    const newest = generations.at(-1);
    if (newest === undefined) return;
    const files = this.#options.unsettled.all().filter(({ generation }) => generation <= newest);
    await this.#options.unsettled.settle(files);
    for (let oldest = generations[0]; oldest !== undefined; oldest = generations[0]) {
      await journal.remove(oldest);
      generations.shift();
    }
    // Not earlier: while a journal exists, a removed file must be noted in it.
    this.#options.unsettled.forgetAll(files);
  }
}

/** Warns of a layout whose records stay in the journals. */
export function warnOfHeld(warn: Warn, error: unknown): void {
  warn('a repository cannot be read: its last changes stay in the journal until it can', { error });
}

/** For records that are not visible by themselves. */
export const noOutcome: Outcome = { apply: () => undefined, undo: () => undefined };

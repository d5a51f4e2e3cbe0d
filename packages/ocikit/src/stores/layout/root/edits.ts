// Seeing what other tools write to the layouts of the process that writes.
import type { Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';

/** Milliseconds between two looks at a layout in use: a little less than the second in which an edit is seen. */
const interval = 900;

/**
 * Looks at the indexes of layouts that are in use, each at most once per interval. A timer counts the intervals, so
 * that a request only compares two numbers.
 */
export class Edits {
  readonly #warn: Warn;
  readonly #onEdit: (layout: Layout) => Promise<void>;
  #now = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Layouts whose edits are being read. */
  readonly #reading = new WeakMap<Layout, Promise<void>>();
  /** Layouts whose edits could not be read at the last look. */
  readonly #failed = new WeakSet<Layout>();

  /** @param onEdit called when a layout shows an edit. The layout may have to be written, with own changes */
  constructor(warn: Warn, onEdit: (layout: Layout) => Promise<void>) {
    this.#warn = warn;
    this.#onEdit = onEdit;
  }

  /** Starts to count. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#now++, interval);
    this.#timer.unref();
  }

  /** Stops counting: nothing is looked at any more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The number of the interval, which changes when layouts must be looked at again. */
  get now(): number {
    return this.#now;
  }

  /** True if the layout was looked at in this interval. */
  isSeen(layout: Layout): boolean {
    return layout.lookedAt === this.#now;
  }

  /** Looks at a layout, unless that was done in this interval, and makes it show what other tools have written. */
  async see(layout: Layout): Promise<void> {
    const reading = this.#reading.get(layout);
    if (reading !== undefined) return reading;
    if (this.isSeen(layout) || !this.#isEdited(layout)) return;
    const next = this.#read(layout, this.#now).finally(() => this.#reading.delete(layout));
    this.#reading.set(layout, next);
    await next;
  }

  /** Synchronous, because nearly always there is no edit. */
  #isEdited(layout: Layout): boolean {
    try {
      if (layout.looksEdited) return true;
    } catch (error) {
      this.#fail(layout, error);
    }
    layout.lookedAt = this.#now;
    return false;
  }

  async #read(layout: Layout, now: number): Promise<void> {
    try {
      await layout.mergeEdits();
      await this.#onEdit(layout);
      this.#failed.delete(layout);
    } catch (error) {
      this.#fail(layout, error);
    }
    layout.lookedAt = now;
  }

  /** The last known state is served. Warns once. */
  #fail(layout: Layout, error: unknown): void {
    if (this.#failed.has(layout)) return;
    this.#failed.add(layout);
    this.#warn('changes to a layout cannot be read: its last known state is served', {
      directory: layout.path,
      error,
    });
  }
}

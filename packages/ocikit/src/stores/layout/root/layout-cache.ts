import type { Layout } from '../index/index.ts';

const maxOpen = 128;

interface Kept {
  opening: Promise<Layout>;
  /** Undefined while it is being opened. */
  layout: Layout | undefined;
}

/** The layouts that are open: a bounded number of them, and those that anybody still holds. */
export class OpenLayouts {
  readonly #open: (directory: string) => Promise<Layout>;
  readonly #isBehind: (layout: Layout) => boolean;
  /** Those that are kept open, in the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  #newest: string | undefined;
  /** All that anybody still holds: there are never two of one directory, or what one is told the other would lose. */
  readonly #held = new Map<string, WeakRef<Layout>>();

  /** @param isBehind whether the index on the disk lacks something: such a layout stays open */
  constructor(open: (directory: string) => Promise<Layout>, isBehind: (layout: Layout) => boolean) {
    this.#open = open;
    this.#isBehind = isBehind;
  }

  /** True if none can be closed, and there are too many. */
  get isFull(): boolean {
    return this.#kept.size > maxOpen;
  }

  /** The layout, if nothing has to be waited for. */
  atHand(directory: string): Layout | undefined {
    const found = this.#kept.get(directory);
    if (found?.layout !== undefined) this.#use(directory, found);
    return found?.layout;
  }

  async get(directory: string): Promise<Layout> {
    const found = this.#kept.get(directory);
    if (found !== undefined) {
      this.#use(directory, found);
      return found.opening;
    }
    const kept: Kept = { opening: this.#openOnce(directory), layout: undefined };
    this.#use(directory, kept);
    kept.opening.catch(() => {
      if (this.#kept.get(directory) === kept) this.#kept.delete(directory);
    });
    kept.layout = await kept.opening;
    this.#evict();
    return kept.layout;
  }

  #use(directory: string, kept: Kept): void {
    // Many requests in a row are for the same one.
    if (directory === this.#newest && this.#kept.has(directory)) return;
    this.#newest = directory;
    // Deleted and set again, it is the one that was used last.
    this.#kept.delete(directory);
    this.#kept.set(directory, kept);
  }

  async #openOnce(directory: string): Promise<Layout> {
    const held = this.#held.get(directory)?.deref();
    if (held !== undefined) return held;
    const layout = await this.#open(directory);
    this.#held.set(directory, new WeakRef(layout));
    return layout;
  }

  /** It has something to be written now. */
  keep(layout: Layout): void {
    if (this.#kept.has(layout.directory)) return;
    this.#kept.set(layout.directory, { opening: Promise.resolve(layout), layout });
  }

  /** As they are now: one that is used meanwhile changes its place. */
  all(): Promise<Layout>[] {
    return Array.from(this.#kept.values(), ({ opening }) => opening);
  }

  #evict(): void {
    if (this.#kept.size <= maxOpen) return;
    for (const directory of this.#kept.keys()) {
      const layout = this.#held.get(directory)?.deref();
      // One that is being opened is in use.
      if (layout === undefined || this.#isBehind(layout)) continue;
      this.#kept.delete(directory);
      if (this.#kept.size <= maxOpen) break;
    }
    for (const [directory, held] of this.#held) if (held.deref() === undefined) this.#held.delete(directory);
  }
}

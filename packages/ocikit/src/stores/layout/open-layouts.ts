import type { Layout } from './layout.ts';

const maxOpen = 128;

/** The layouts that are open: a bounded number of them, and those that anybody still holds. */
export class OpenLayouts {
  readonly #open: (directory: string) => Promise<Layout>;
  readonly #isBehind: (layout: Layout) => boolean;
  /** Those that are kept open, in the order of their last use. */
  readonly #kept = new Map<string, Promise<Layout>>();
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

  async get(directory: string): Promise<Layout> {
    const found = this.#kept.get(directory);
    // Many requests in a row are for the same one.
    if (found !== undefined && directory === this.#newest) return found;
    this.#newest = directory;
    if (found !== undefined) {
      // Deleted and set again, it is the one that was used last.
      this.#kept.delete(directory);
      this.#kept.set(directory, found);
      return found;
    }
    const opening = this.#openOnce(directory);
    this.#kept.set(directory, opening);
    opening.catch(() => {
      if (this.#kept.get(directory) === opening) this.#kept.delete(directory);
    });
    const layout = await opening;
    this.#evict();
    return layout;
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
    if (!this.#kept.has(layout.directory)) this.#kept.set(layout.directory, Promise.resolve(layout));
  }

  /** As they are now: one that is used meanwhile changes its place. */
  all(): Promise<Layout>[] {
    return [...this.#kept.values()];
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

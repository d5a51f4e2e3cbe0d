import type { Layout } from '../index/index.ts';

const maxOpen = 128;

interface CachedLayout {
  opening: Promise<Layout>;
  /** Undefined while it is being opened. */
  layout: Layout | undefined;
}

/** The layouts that are open: a bounded number of them, and those that anybody still holds. */
export class LayoutCache {
  readonly #open: (directory: string) => Promise<Layout>;
  readonly #isBehind: (layout: Layout) => boolean;
  /** Those that are kept open, in the order of their last use. */
  readonly #cached = new Map<string, CachedLayout>();
  #newest: string | undefined;
  /** All that anybody still holds: there are never two of one directory, or what one is told the other would lose. */
  readonly #alive = new Map<string, WeakRef<Layout>>();

  /** @param isBehind whether the index on the disk lacks something: such a layout stays open */
  constructor(open: (directory: string) => Promise<Layout>, isBehind: (layout: Layout) => boolean) {
    this.#open = open;
    this.#isBehind = isBehind;
  }

  /** True if none can be closed, and there are too many. */
  get isFull(): boolean {
    return this.#cached.size > maxOpen;
  }

  /** The layout, if nothing has to be waited for. */
  loaded(directory: string): Layout | undefined {
    const found = this.#cached.get(directory);
    if (found?.layout !== undefined) this.#use(directory, found);
    return found?.layout;
  }

  async get(directory: string): Promise<Layout> {
    const found = this.#cached.get(directory);
    if (found !== undefined) {
      this.#use(directory, found);
      return found.opening;
    }
    const cached: CachedLayout = { opening: this.#openOnce(directory), layout: undefined };
    this.#use(directory, cached);
    cached.opening.catch(() => {
      if (this.#cached.get(directory) === cached) this.#cached.delete(directory);
    });
    cached.layout = await cached.opening;
    this.#evict();
    return cached.layout;
  }

  #use(directory: string, cached: CachedLayout): void {
    // Many requests in a row are for the same one.
    if (directory === this.#newest && this.#cached.has(directory)) return;
    this.#newest = directory;
    // Deleted and set again, it is the one that was used last.
    this.#cached.delete(directory);
    this.#cached.set(directory, cached);
  }

  async #openOnce(directory: string): Promise<Layout> {
    const held = this.#alive.get(directory)?.deref();
    if (held !== undefined) return held;
    const layout = await this.#open(directory);
    this.#alive.set(directory, new WeakRef(layout));
    return layout;
  }

  /** It has something to be written now. */
  retain(layout: Layout): void {
    if (this.#cached.has(layout.directory)) return;
    this.#cached.set(layout.directory, { opening: Promise.resolve(layout), layout });
  }

  /** As they are now: one that is used meanwhile changes its place. */
  all(): Promise<Layout>[] {
    return Array.from(this.#cached.values(), ({ opening }) => opening);
  }

  #evict(): void {
    if (this.#cached.size <= maxOpen) return;
    for (const directory of this.#cached.keys()) {
      const layout = this.#alive.get(directory)?.deref();
      // One that is being opened is in use.
      if (layout === undefined || this.#isBehind(layout)) continue;
      this.#cached.delete(directory);
      if (this.#cached.size <= maxOpen) break;
    }
    for (const [directory, held] of this.#alive) if (held.deref() === undefined) this.#alive.delete(directory);
  }
}

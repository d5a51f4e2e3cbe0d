// The cache of open layouts: a bounded number, and never two of the same directory.
import type { Layout } from '../index/index.ts';

const maxOpen = 128;

interface CachedLayout {
  opening: Promise<Layout>;
  /** Undefined while the layout is being opened. */
  layout: Layout | undefined;
}

/** The layouts that are open: a bounded number, and those that are still referenced elsewhere. */
export class LayoutCache {
  readonly #open: (directory: string) => Promise<Layout>;
  readonly #isBehind: (layout: Layout) => boolean;
  /** The cached layouts, least recently used first. */
  readonly #cached = new Map<string, CachedLayout>();
  #newest: string | undefined;
  /**
   * All layouts that are still referenced. A directory never has two: a change in one would be missing in the other.
   */
  readonly #alive = new Map<string, WeakRef<Layout>>();

  /** @param isBehind whether the index on disk lacks changes; such a layout is not evicted */
  constructor(open: (directory: string) => Promise<Layout>, isBehind: (layout: Layout) => boolean) {
    this.#open = open;
    this.#isBehind = isBehind;
  }

  /** True if the cache is too large and no layout can be evicted. */
  get isFull(): boolean {
    return this.#cached.size > maxOpen;
  }

  /** The layout, if it is open already. */
  loaded(directory: string): Layout | undefined {
    const found = this.#cached.get(directory);
    if (found?.layout !== undefined) this.#use(directory, found);
    return found?.layout;
  }

  /** Opens a layout, or returns the open one. */
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
    // Many requests in a row are for the same layout.
    if (directory === this.#newest && this.#cached.has(directory)) return;
    this.#newest = directory;
    // Deleting and setting moves it to the end, as the most recently used.
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

  /** Keeps a layout in the cache because it has changes to write. */
  retain(layout: Layout): void {
    if (this.#cached.has(layout.directory)) return;
    this.#cached.set(layout.directory, { opening: Promise.resolve(layout), layout });
  }

  /** All cached layouts at this moment: using one later changes its place. */
  all(): Promise<Layout>[] {
    return Array.from(this.#cached.values(), ({ opening }) => opening);
  }

  #evict(): void {
    if (this.#cached.size <= maxOpen) return;
    for (const directory of this.#cached.keys()) {
      const layout = this.#alive.get(directory)?.deref();
      // A layout that is being opened is in use.
      if (layout === undefined || this.#isBehind(layout)) continue;
      this.#cached.delete(directory);
      if (this.#cached.size <= maxOpen) break;
    }
    for (const [directory, held] of this.#alive) if (held.deref() === undefined) this.#alive.delete(directory);
  }
}

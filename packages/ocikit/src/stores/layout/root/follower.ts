import type { Digest } from '../../../model/index.ts';

import { identityOf } from '../files/index.ts';
import type { Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import { FoundJournals, recordsToReplay } from '../journal/index.ts';
import type { JournalledContent } from '../journal/index.ts';

/** Milliseconds between two looks at the disk. */
const interval = 100;

/** What a layout shows. */
interface Shown {
  identity: string;
  journals: FoundJournals;
  /** So many of the journals' records. */
  records: number;
  /** By a clock that nobody sets. */
  at: number;
  refreshing?: Promise<void> | undefined;
  hasFailed: boolean;
}

/** Reads layouts with what journals say on top of them, and again when another process has changed something. */
export class Follower {
  readonly #dir: string;
  readonly #isShared: boolean;
  readonly #warn: Warn;
  readonly #shown = new WeakMap<Layout, Shown>();
  #journals: Promise<FoundJournals> | undefined;

  /** @param dir of the journals */
  constructor(dir: string, isShared: boolean, warn: Warn) {
    this.#dir = dir;
    this.#isShared = isShared;
    this.#warn = warn;
  }

  /** Shows a layout that was not read yet. */
  async open(layout: Layout): Promise<void> {
    while (!(await this.#read(layout))) {
      // Whoever writes here has folded meanwhile.
    }
  }

  /** Makes a layout show what is new. Cheap if nothing is, and often nobody looks. */
  async refresh(layout: Layout): Promise<void> {
    const shown = this.#shown.get(layout);
    if (shown === undefined) return;
    if (shown.refreshing === undefined) {
      if (performance.now() - shown.at < interval) return;
      shown.refreshing = this.#refresh(layout, shown).finally(() => {
        shown.refreshing = undefined;
        shown.at = performance.now();
      });
    }
    await shown.refreshing;
  }

  async #refresh(layout: Layout, shown: Shown): Promise<void> {
    try {
      if (!(await this.#addTo(layout, shown))) await this.#read(layout);
      shown.hasFailed = false;
    } catch (error) {
      // What was seen last is better than nothing. It is told once.
      if (!shown.hasFailed) this.#warn('what is new in a layout cannot be read', { directory: layout.path, error });
      shown.hasFailed = true;
    }
  }

  /** @returns false if it has to be read as a whole */
  async #addTo(layout: Layout, shown: Shown): Promise<boolean> {
    const journals = await this.journals();
    if (journals !== shown.journals || (await identityOf(layout.indexPath)) !== shown.identity) return false;
    const records = journals.recordsOf(layout.directory);
    for (const record of records.slice(shown.records)) layout.apply(record);
    shown.records = records.length;
    return true;
  }

  /** @returns false if whoever writes here may have folded between the looks at the journals and the index */
  async #read(layout: Layout): Promise<boolean> {
    const identity = await identityOf(layout.indexPath);
    const journals = await this.journals();
    const read = await layout.read();
    if ((await identityOf(layout.indexPath)) !== identity) return false;
    const all = journals.recordsOf(layout.directory);
    const { records, isKnown } = recordsToReplay(all, read.file?.sha256 ?? '');
    if (!isKnown) {
      this.#warn('somebody else has edited an index: what was pushed here is kept', { directory: layout.path });
    }
    layout.show(read, records);
    const before = this.#shown.get(layout) ?? { at: performance.now(), hasFailed: false };
    this.#shown.set(layout, Object.assign(before, { identity, journals, records: all.length }));
    return true;
  }

  /** Of a layout that is shown: a file that nothing but the journals answers for. */
  contentOf(layout: Layout, digest: Digest): JournalledContent | undefined {
    return this.#shown.get(layout)?.journals.contentOf(layout.directory, digest);
  }

  /** Of a layout that is shown: those of all that {@link contentOf} has. */
  digestsOf(layout: Layout): Digest[] {
    const contents = this.#shown.get(layout)?.journals.contents ?? [];
    return contents.filter(({ directory }) => directory === layout.directory).map(({ digest }) => digest);
  }

  /** The journals as they are now. */
  journals(): Promise<FoundJournals> {
    const before = this.#journals;
    const find = async (): Promise<FoundJournals> => {
      const known = await before?.catch(() => undefined);
      if (known !== undefined && (await known.readMore())) return known;
      return FoundJournals.find(this.#dir, this.#isShared, this.#warn);
    };
    this.#journals = find();
    return this.#journals;
  }
}

// Following another process that writes to the same root: its index files and its journals.
import type { Digest } from '../../../model/index.ts';

import { identityOf } from '../files/index.ts';
import type { Warn } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import { FoundJournals, recordsToReplay } from '../journal/index.ts';
import type { JournalledContent } from '../journal/index.ts';

/** Milliseconds between two checks of the disk. */
const interval = 100;

/** The state of the disk that a layout shows. */
interface Shown {
  identity: string;
  journals: FoundJournals;
  /** The number of journal records that were applied. */
  records: number;
  /** The time of the last check, by a monotonic clock. */
  at: number;
  refreshing?: Promise<void> | undefined;
  hasFailed: boolean;
}

/**
 * Reads layouts with the journals' records on top, and reads them again when another process has changed something.
 */
export class Follower {
  readonly #dir: string;
  readonly #isShared: boolean;
  readonly #warn: Warn;
  readonly #shown = new WeakMap<Layout, Shown>();
  #journals: Promise<FoundJournals> | undefined;

  /** @param dir the directory of the journals */
  constructor(dir: string, isShared: boolean, warn: Warn) {
    this.#dir = dir;
    this.#isShared = isShared;
    this.#warn = warn;
  }

  /** Reads a layout for the first time. */
  async open(layout: Layout): Promise<void> {
    while (!(await this.#read(layout))) {
      // The writing process has folded in between: read again.
    }
  }

  /** Makes a layout show changes. Cheap if there are none, and checks the disk at most once per interval. */
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
      // Keep showing the last state. Warn once.
      if (!shown.hasFailed)
        this.#warn('changes to a layout cannot be read: its last known state is served', {
          directory: layout.path,
          error,
        });
      shown.hasFailed = true;
    }
  }

  /** @returns false if the layout must be read as a whole */
  async #addTo(layout: Layout, shown: Shown): Promise<boolean> {
    const journals = await this.journals();
    if (journals !== shown.journals || (await identityOf(layout.indexPath)) !== shown.identity) return false;
    const records = journals.recordsOf(layout.directory);
    for (const record of records.slice(shown.records)) layout.apply(record);
    shown.records = records.length;
    return true;
  }

  /** @returns false if the writing process may have folded between reading the journals and the index */
  async #read(layout: Layout): Promise<boolean> {
    const identity = await identityOf(layout.indexPath);
    const journals = await this.journals();
    const read = await layout.read();
    if ((await identityOf(layout.indexPath)) !== identity) return false;
    const all = journals.recordsOf(layout.directory);
    const { records, isKnown } = recordsToReplay(all, read.file?.sha256 ?? '');
    if (!isKnown) {
      this.#warn('another tool has edited an index: content that was pushed here is kept', { directory: layout.path });
    }
    layout.show(read, records);
    const before = this.#shown.get(layout) ?? { at: performance.now(), hasFailed: false };
    this.#shown.set(layout, Object.assign(before, { identity, journals, records: all.length }));
    return true;
  }

  /** Small content of a shown layout that only the journals make durable. */
  contentOf(layout: Layout, digest: Digest): JournalledContent | undefined {
    return this.#shown.get(layout)?.journals.contentOf(layout.directory, digest);
  }

  /** The digests for which {@link contentOf} has content. */
  digestsOf(layout: Layout): Digest[] {
    const contents = this.#shown.get(layout)?.journals.contents ?? [];
    return contents.filter(({ directory }) => directory === layout.directory).map(({ digest }) => digest);
  }

  /** The journals in their present state. */
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

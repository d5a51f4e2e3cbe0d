// Committing: records and small files that the journal makes durable before they become visible.
import type { Digest } from '../../../model/index.ts';

import type { Files } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import { randomMask } from '../journal/index.ts';
import type {
  ContentRecord,
  HistoryFiles,
  Journal,
  JournalPlace,
  JournalRecord,
  UnsettledContent,
} from '../journal/index.ts';

import { noOutcome } from './folding.ts';
import type { Folding } from './folding.ts';

/** A small file that is written. It gets its final name when the journal has its bytes. */
export interface SmallFile {
  /** The digest of the bytes. */
  digest: Digest;
  /** All bytes of the file. */
  bytes: Uint8Array;
  /** Renames it to its final path. */
  place: () => void;
}

/** The parts of a root that a commit works on. */
export interface CommitsOptions {
  /** Writes the files of the root. */
  files: Files;
  /** Small files that only the journal makes durable. */
  unsettled: UnsettledContent;
  /** The history of tags. */
  history: HistoryFiles;
  /** Directories of layouts for which the current generation has a `base` record. */
  based: Set<string>;
  /** Writes the indexes that the journal extends. */
  folding: Folding;
  /** The journal; undefined while this process does not write. */
  journal: () => Journal | undefined;
  /**
   * The journal, for a commit.
   *
   * @throws RegistryError UNAVAILABLE if this process no longer writes
   */
  openJournal: () => Journal;
  /** Called when records of a layout have become visible. */
  onApplied: (layout: Layout, records: readonly JournalRecord[]) => void;
}

/** Commits records to the journal of a root. */
export class Commits {
  readonly #options: CommitsOptions;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** True if the journal can take small files, so that no push waits for a sync of its own. */
  get takesSmallFiles(): boolean {
    const { files, unsettled } = this.#options;
    return files.durability === 'fsync' && !unsettled.isFull;
  }

  /**
   * Makes records of one layout durable and then visible, all or none.
   *
   * @param file gets its name in the same step
   */
  async add(layout: Layout, records: readonly JournalRecord[], file?: SmallFile): Promise<void> {
    const { based, folding, history, onApplied } = this.#options;
    const journal = this.#options.openJournal();
    // Nothing waits before the records are queued, so the caller's checks still hold.
    const settle = layout.queue(records);
    const { directory } = layout;
    const before: (JournalRecord | ContentRecord)[] = [];
    if (records.length > 0 && !based.has(directory)) {
      before.push({ op: 'base', directory, sha256: layout.sha256 });
      based.add(directory);
    }
    const mask = file === undefined ? 0 : randomMask();
    if (file !== undefined) {
      before.push({ op: 'content', directory, digest: file.digest, size: file.bytes.length, mask });
    }
    try {
      await journal.append(
        { records: [...before, ...records], contents: file === undefined ? [] : [file.bytes] },
        {
          apply: (place) => {
            // The records are no longer queued, whatever happens next.
            settle();
            if (file !== undefined) this.#place(layout, file, { ...place, mask });
            for (const record of records) layout.apply(record);
            history.note(directory, records);
            onApplied(layout, records);
          },
          undo: settle,
        },
      );
    } catch (error) {
      based.delete(directory);
      if (journal.isBroken) folding.now();
      throw error;
    }
    folding.soon(journal, layout);
  }

  #place(layout: Layout, { digest, bytes, place }: SmallFile, at: JournalPlace & { mask: number }): void {
    place();
    const path = layout.blobPath(digest);
    this.#options.unsettled.add({ ...at, path, directory: layout.directory, digest, size: bytes.length });
  }

  /** Syncs a file before something other than the journal relies on it. */
  async settleFile(path: string): Promise<void> {
    await this.#options.unsettled.settleOne(path);
  }

  /** Notes that a file was removed, so that the journal does not bring it back. */
  async noteRemoved(layout: Layout, digest: Digest): Promise<void> {
    const { folding, unsettled } = this.#options;
    const path = layout.blobPath(digest);
    const journal = this.#options.journal();
    if (journal === undefined || !unsettled.has(path)) return;
    unsettled.forget(path);
    const records: ContentRecord[] = [{ op: 'removed', directory: layout.directory, digest }];
    try {
      await journal.append({ records }, noOutcome);
    } catch (error) {
      // A new journal does not have the bytes. Until then, this journal may bring the file back.
      folding.now();
      throw error;
    }
    folding.whenIdle();
  }
}

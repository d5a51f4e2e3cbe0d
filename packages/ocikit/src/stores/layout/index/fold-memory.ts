// The memory of a layout for its last folds: in the process, and in the snapshot for the process after it.
import type { Digest } from '../../../model/index.ts';

import { modifiedAt, sizeOfFile } from '../files/index.ts';

import type { LayoutChanges } from './changes.ts';
import type { IndexFile } from './index-file.ts';
import { knownStateOf } from './known-state.ts';
import type { LayoutContent } from './layout-content.ts';
import type { LayoutSettings } from './layout-on-disk.ts';
import type { LayoutRepository } from './layout-repository.ts';
import { RecentFolds } from './recent-folds.ts';
import type { Fold } from './recent-folds.ts';
import { rewriteFolds, writeSnapshot } from './snapshot.ts';

/** An edit of an index, and what the layout knows. */
interface SeenEdit {
  /** The edited index. */
  file: IndexFile;
  /** Its content. */
  edited: ReadonlyMap<string, LayoutRepository>;
  /** The repositories as they are known. */
  known: ReadonlyMap<string, LayoutRepository>;
  /** Changes that no index has yet. */
  pending: LayoutChanges;
  /** The path of a manifest. */
  blobPath: (digest: Digest) => string;
}

/** A snapshot that is written. */
interface NewSnapshot {
  /** The sha256 of the index that it belongs to. */
  sha256: string;
  /** The sha256 of the index before. */
  replaced: string;
  /** The content of the layout, which may change meanwhile. */
  content: LayoutContent;
  /** The changes that the index has. */
  written: LayoutChanges;
  /** The changes that no index has. Asked when all else was written. */
  pending: () => LayoutChanges;
}

/** Remembers the last folds of a layout. */
export class FoldMemory {
  readonly #settings: LayoutSettings;
  #recent = new RecentFolds();
  #saving: Promise<void> = Promise.resolve();

  constructor(settings: LayoutSettings) {
    this.#settings = settings;
  }

  /** Takes the folds that a snapshot tells of. */
  restore(recent: RecentFolds): void {
    this.#recent = recent;
  }

  /** Notes the changes in an index that was just written. */
  add(changes: LayoutChanges): void {
    this.#recent.add(changes);
  }

  /** Changes of the last folds that an edited index lacks, because its tool did not know them. */
  missingIn({ file, edited, known, pending, blobPath }: SeenEdit): LayoutChanges {
    return this.#recent.missingIn({
      edited,
      editedAt: modifiedAt(file.identity),
      known: knownStateOf(known),
      pending,
      hasFile: (digest) => sizeOfFile(blobPath(digest)) !== undefined,
    });
  }

  /** Writes the snapshot of an index that is about to be renamed into place. */
  save({ sha256, replaced, content, written, pending }: NewSnapshot): Promise<void> {
    const { directory, files, snapshots } = this.#settings;
    const recent = (): readonly Fold[] => new RecentFolds(this.#recent.with(written)).with(pending());
    return this.#inTurn(() => writeSnapshot(snapshots, directory, { sha256, replaced, content, recent }, files));
  }

  /**
   * Notes in the snapshot that an edit was merged. Without it, a later process could not tell what a tool deleted now
   * from what another tool, later, does not know.
   */
  async saveEdit({ content, pending }: Pick<NewSnapshot, 'content' | 'pending'>): Promise<void> {
    if (this.#recent.folds.length === 0) return;
    const { directory, files, snapshots } = this.#settings;
    const recent = (): readonly Fold[] => this.#recent.with(pending());
    await this.#inTurn(() => rewriteFolds(snapshots, directory, { content, recent }, files));
  }

  /** Writes one snapshot after another: the last one counts. */
  #inTurn(save: () => Promise<void>): Promise<void> {
    const saving = this.#saving.then(save);
    this.#saving = saving.catch(() => undefined);
    return saving;
  }
}

// Storing small content that is in memory as a whole: one file, written and named on this thread, without a stage.
import { rmSync } from 'node:fs';

import { digestOf, splitDigest, wrongDigest, wrongSize } from '../../../model/index.ts';
import type { BlobIdentity, BlobSource, Digest } from '../../../model/index.ts';

import { isFileOf } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { JournalRecord } from '../journal/index.ts';

import type { LayoutState } from './state.ts';

/** Bytes. Larger content goes through a stage, so that it does not block the event loop. */
const mostSmall = 64 * 1024;
const done: Promise<void> = Promise.resolve();

/** True if these are the whole bytes of small content. */
export function isSmall(source: BlobSource | undefined): source is Uint8Array {
  return source instanceof Uint8Array && source.length > 0 && source.length <= mostSmall;
}

/** @throws RegistryError SIZE_INVALID or DIGEST_INVALID if these are not the bytes of the blob */
export function verifySmall({ digest, size }: BlobIdentity, bytes: Uint8Array): void {
  if (size !== undefined && bytes.length !== size) throw wrongSize(digest, size, bytes.length);
  const found = digestOf(bytes, splitDigest(digest).algorithm);
  if (found !== digest) throw wrongDigest(digest, found);
}

/** A small file that is written under a temporary name. */
export class SmallWrite {
  /** Milliseconds since the epoch when the file was written; undefined if an older file with the same bytes stays. */
  writtenAt: number | undefined = Date.now();
  readonly #state: LayoutState;
  readonly #layout: Layout;
  readonly #digest: Digest;
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #temporary: string;
  #isOver = false;

  private constructor(state: LayoutState, layout: Layout, digest: Digest, bytes: Uint8Array, temporary: string) {
    this.#state = state;
    this.#layout = layout;
    this.#digest = digest;
    this.#bytes = bytes;
    this.#path = layout.blobPath(digest);
    this.#temporary = temporary;
  }

  /**
   * Writes the file, not durably.
   *
   * @returns undefined if nothing was written: a directory is not there yet, or the file has to be synced
   */
  static begin(state: LayoutState, layout: Layout, digest: Digest, bytes: Uint8Array): SmallWrite | undefined {
    const { store } = state;
    const { commits, files } = store;
    if (!layout.isMade || (files.durability === 'fsync' && !commits.takesSmallFiles)) return undefined;
    const path = layout.blobPath(digest);
    if (!files.hasMade(path.slice(0, path.lastIndexOf('/')))) return undefined;
    layout.assertInsideRoot(digest);
    store.assertOwned();
    const temporary = store.private.temporaryPath();
    files.writeNow(temporary, bytes);
    return new SmallWrite(state, layout, digest, bytes, temporary);
  }

  /** Gives the file its name at once. */
  name(): void {
    this.#state.store.files.moveNow(this.#temporary, this.#path);
    this.#isOver = true;
    this.#state.looks.forget(this.#path);
    this.#state.manifests.forget(this.#path);
  }

  /**
   * Commits records about the file. If it has to be synced, it gets its name when the journal has its bytes and the
   * records; otherwise it gets its name first.
   */
  async commit(records: readonly JournalRecord[]): Promise<void> {
    const { commits, files } = this.#state.store;
    if (files.durability !== 'fsync') {
      this.name();
      await commits.add(this.#layout, records);
      return;
    }
    await commits.add(this.#layout, records, {
      digest: this.#digest,
      bytes: this.#bytes,
      place: () => this.#place(),
    });
  }

  /** An existing file with the same bytes stays: it may be durable, and an index may name it. */
  #place(): void {
    if (isFileOf(this.#path, this.#bytes)) {
      this.discard();
      this.writtenAt = undefined;
    } else {
      this.name();
    }
  }

  /** Removes the file if it has no name yet. */
  discard(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    rmSync(this.#temporary, { force: true });
  }
}

/** The steps that make a file a blob of a repository. */
export interface BlobSteps {
  /** The records to commit. */
  recordsOf: (layout: Layout) => readonly JournalRecord[];
  /** Called when the blob is stored. */
  onStored: () => void;
}

/**
 * Stores the verified bytes of a small blob. If there is nothing to sync and no record to commit, all of it is done
 * when this returns, so nothing can interfere.
 *
 * @returns undefined if the blob needs a stage
 */
export function keepSmallBlob(
  state: LayoutState,
  repository: string,
  digest: Digest,
  bytes: Uint8Array,
  { recordsOf, onStored }: BlobSteps,
): Promise<void> | undefined {
  const { store } = state;
  const layout = store.loadedLayoutOf(repository);
  if (layout === undefined) return undefined;
  const isSynced = store.files.durability === 'fsync';
  const records = recordsOf(layout);
  if (!isSynced && records.length > 0) return undefined;
  const write = SmallWrite.begin(state, layout, digest, bytes);
  if (write === undefined) return undefined;
  const path = layout.blobPath(digest);
  const note = (): void => {
    state.used.touch(path, write.writtenAt);
    state.blobs.noteWritten(path);
    onStored();
  };
  if (isSynced) return state.claims.whileWriting(path, () => committed(write, records, note));
  state.claims.noteWrite();
  try {
    write.name();
  } finally {
    write.discard();
  }
  note();
  return store.files.yieldIfDue() ?? done;
}

async function committed(write: SmallWrite, records: readonly JournalRecord[], note: () => void): Promise<void> {
  try {
    await write.commit(records);
  } finally {
    write.discard();
  }
  note();
}

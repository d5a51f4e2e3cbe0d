// The state of a layout on the disk: its index and its snapshot, read together.
import { join } from 'node:path';

import type { Digest } from '../../../model/index.ts';

import { assertInside, modifiedAt, sizeOfFile, TimeSlice } from '../files/index.ts';
import type { Files, Warn } from '../files/index.ts';
import type { JournalRecord } from '../journal/index.ts';

import type { EntryNames } from './entry-names.ts';
import { readIndex } from './index-file.ts';
import type { IndexFile, ParsedIndex } from './index-file.ts';
import { LayoutContent } from './layout-content.ts';
import type { EntryKnowledge } from './layout-content.ts';
import { assertVersion } from './marker.ts';
import { longestCopy, RecentFolds } from './recent-folds.ts';
import { readSnapshot } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

/** The place and the options of a layout. */
export interface LayoutSettings {
  /** The root directory. */
  root: string;
  /** The layout's directory below the root; empty if it is the root itself. */
  directory: string;
  /** How index entries name repositories and tags. */
  names: EntryNames;
  /** Writes the files of the root. */
  files: Files;
  /** The directory of snapshots, see {@link writeSnapshot}. */
  snapshots: string;
  /** True if one layout holds all repositories, false if each has its own. */
  isShared: boolean;
  /** Called for problems that do not stop the store. */
  warn: Warn;
  /** The warnings about entries of other tools so far, in all layouts of the root. */
  warned: Set<string>;
}

/** The state of a layout on the disk. */
export interface ReadLayout {
  /** The index; undefined if there is none. */
  file: IndexFile | undefined;
  /** The content by repository. */
  content: LayoutContent;
  /** True if records say what their manifests do not prove. Version 0.1.0 did not write that. */
  isAudited: boolean;
}

/** The same, for a process that has not seen the last folds, or does not remember them. */
export interface OpenedLayout extends ReadLayout {
  /** Changes of the last folds that the index lacks, because another tool had read it before them. */
  missing: readonly JournalRecord[];
  /** The last folds. */
  recent: RecentFolds;
}

/** Warnings about entries of other tools. There may be very many entries. */
const mostWarnings = 10_000;

/** Reads the files of a layout. It keeps no state. */
export class LayoutOnDisk {
  readonly #settings: LayoutSettings;
  readonly #path: string;
  readonly #indexPath: string;

  constructor(settings: LayoutSettings, indexPath: string) {
    this.#settings = settings;
    this.#path = join(settings.root, settings.directory);
    this.#indexPath = indexPath;
  }

  /** Reads the index and the snapshot. */
  async read(): Promise<ReadLayout> {
    const { file, content, isAudited } = await this.#read();
    return { file, content, isAudited };
  }

  async #read(): Promise<ReadLayout & { snapshot: Snapshot | undefined }> {
    const { directory, snapshots, warn } = this.#settings;
    await this.#assertNoLinks();
    await assertVersion(this.#path);
    const file = await readIndex(this.#indexPath);
    const snapshot = await readSnapshot(snapshots, directory, file?.sha256 ?? '', warn);
    const content = await this.contentOf(file, snapshot);
    return { file, content, isAudited: snapshot?.isAudited ?? false, snapshot };
  }

  /**
   * The same, with what the last folds wrote.
   *
   * @param blobPath the path of a manifest
   */
  async open(blobPath: (digest: Digest) => string): Promise<OpenedLayout> {
    const { snapshot, ...read } = await this.#read();
    const { file, content } = read;
    const none = { ...read, missing: [], recent: new RecentFolds() };
    if (file === undefined || snapshot === undefined || snapshot.isOfNext) return none;
    const editedAt = modifiedAt(file.identity);
    // Whatever a tool writes from now on, it comes too late for older folds.
    if (snapshot.isOfIndex && Date.now() - editedAt > longestCopy) return none;
    const folded = await snapshot.folded();
    const { recent } = folded;
    if (snapshot.isOfIndex) return { ...none, recent };
    const hasFile = (digest: Digest): boolean => sizeOfFile(blobPath(digest)) !== undefined;
    const edited = content.repositories;
    return { ...none, recent, missing: folded.recordsMissingIn({ edited, editedAt, hasFile }) };
  }

  /** The content that an index and a snapshot describe. */
  async contentOf(file: ParsedIndex | undefined, snapshot: Snapshot | undefined): Promise<LayoutContent> {
    const content = new LayoutContent(this.#settings.names, file);
    if (file !== undefined && file.unreadable.length > 0) {
      this.#warnOnce('an index has entries that are not descriptors: they are left unchanged', {
        file: this.#indexPath,
        entries: file.unreadable.length,
      });
    }
    const slice = new TimeSlice();
    const knowledge = knowledgeOf(snapshot);
    for (const entry of file?.entries ?? []) {
      if (slice.isOver) await slice.giveWay();
      const added = content.addEntry(entry, knowledge);
      if (added === 'added') continue;
      const message =
        added === 'shadows'
          ? 'an index has several entries of one name: the last one counts, the others are left unchanged'
          : 'an index entry names no repository here: it is left unchanged';
      this.#warnOnce(message, { file: this.#indexPath, name: entry.refName });
    }
    await snapshot?.restore(content);
    return content;
  }

  /** An index is read again after each edit, and a warning about an entry that stays need not be repeated. */
  #warnOnce(message: string, fields: Readonly<Record<string, unknown>>): void {
    const { warn, warned } = this.#settings;
    const key = JSON.stringify([message, fields]);
    if (warned.has(key) || warned.size >= mostWarnings) return;
    warned.add(key);
    warn(message, fields);
  }

  /** A symbolic link could lead out of the root. */
  async #assertNoLinks(): Promise<void> {
    const { root, directory, warn } = this.#settings;
    try {
      assertInside(root, [...(directory === '' ? [] : directory.split('/')), 'blobs']);
      assertInside(this.#path, ['index.json']);
    } catch (error) {
      warn('a layout is behind a symbolic link: links below the root are not followed', { directory: this.#path });
      throw error;
    }
  }
}

/** Knowledge about entries that a snapshot has. */
export function knowledgeOf(snapshot: Snapshot | undefined): EntryKnowledge {
  return {
    isParsed: snapshot?.isOfIndex ?? false,
    isOwn: (repository, digest) => snapshot?.isOwn(repository, digest) ?? false,
  };
}

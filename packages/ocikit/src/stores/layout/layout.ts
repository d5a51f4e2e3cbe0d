import { createHash } from 'node:crypto';
import { constants, lstatSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import {
  linksOf,
  mediaTypes,
  parseManifest,
  referrerDescriptor,
  RegistryError,
  splitDigest,
} from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';
import { RepositoryIndex } from '../repository/index.ts';

import { assertInside, entriesOf, isMissing, isTemporary } from './files.ts';
import type { Files } from './files.ts';
import { identityOf, indexLines, readIndex, refNameAnnotation } from './index-file.ts';
import type { IndexFile } from './index-file.ts';
import type { JournalRecord } from './journal.ts';
import type { EntryNames } from './names.ts';
import { readSnapshot, writeSnapshot } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

/** Told of what is odd but no reason to stop. */
export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** A repository's part of a layout. */
export class LayoutRepository {
  readonly index: RepositoryIndex = new RepositoryIndex();
  /** Manifests without an entry of their own: an index names them. */
  readonly implicit: Set<Digest> = new Set();
  /** Manifests that other tools wrote and nobody has looked into yet. */
  readonly unparsed: Set<Digest> = new Set();
  /** Other tools' entries, with what only they know of them: by tag, or by digest if they have none. */
  readonly foreign: Map<string, Descriptor> = new Map();
  /** Set while {@link Layout.explore} looks into what is unparsed. */
  exploring: Promise<void> | undefined;
}

/** Who names what is not followed here. */
const nothing: readonly Digest[] = [];

interface Touched {
  tags: Set<string>;
  manifests: Set<Digest>;
  blobs: Set<Digest>;
}

/** One OCI image layout: a directory with `oci-layout`, `index.json` and `blobs`. */
export class Layout {
  /** Below the root; empty if it is the root itself. */
  readonly directory: string;
  readonly path: string;
  readonly #names: EntryNames;
  readonly #files: Files;
  readonly #root: string;
  readonly #snapshots: string;
  readonly #isShared: boolean;
  readonly #warn: Warn;
  repositories: Map<string, LayoutRepository> = new Map();
  /** Of `index.json` as it was read or written last; empty if there is none. */
  sha256 = '';
  /** Entries in the index when it was read or written last. */
  size = 0;
  #identity = '';
  #head: Record<string, unknown> | undefined;
  /** Entries that are nobody's: written back as they were. */
  #kept: unknown[] = [];
  /** What has changed since the index was written last. */
  #touched = new Map<string, Touched>();
  #making: Promise<void> | undefined;
  #isFolding = false;
  #isTidy = false;
  readonly #queued = new Map<string, { digest: Digest | undefined }>();

  constructor(options: {
    root: string;
    directory: string;
    names: EntryNames;
    files: Files;
    snapshots: string;
    isShared: boolean;
    warn: Warn;
  }) {
    this.directory = options.directory;
    this.path = join(options.root, options.directory);
    this.#root = options.root;
    this.#names = options.names;
    this.#files = options.files;
    this.#snapshots = options.snapshots;
    this.#isShared = options.isShared;
    this.#warn = options.warn;
  }

  /** True if something has changed since the index was written last, or it is just being written. */
  get isDirty(): boolean {
    return this.#touched.size > 0 || this.#isFolding;
  }

  /**
   * Before a file is given the name of a blob.
   *
   * @throws RegistryError UNAVAILABLE if the way there leads out of the root
   */
  assertInsideRoot(digest: Digest): Promise<void> {
    const components = [...this.directory.split('/').filter(Boolean), 'blobs', splitDigest(digest).algorithm];
    return assertInside(this.#root, components);
  }

  blobPath(digest: Digest): string {
    const { algorithm, encoded } = splitDigest(digest);
    return join(this.path, 'blobs', algorithm, encoded);
  }

  repository(name: string): LayoutRepository {
    let repository = this.repositories.get(name);
    if (repository === undefined) {
      repository = new LayoutRepository();
      this.repositories.set(name, repository);
    }
    return repository;
  }

  /** Reads the index, and what is known of its manifests. */
  async load(): Promise<void> {
    const { file, snapshot } = await this.#read();
    this.#take(file, snapshot);
  }

  async #read(): Promise<{ file: IndexFile | undefined; snapshot: Snapshot | undefined }> {
    await this.#assertNoLinks();
    await this.#assertVersion();
    const file = await readIndex(join(this.path, 'index.json'));
    const snapshot = await readSnapshot(this.#snapshots, this.directory, file?.sha256 ?? '', this.#warn);
    return { file, snapshot };
  }

  #take(file: IndexFile | undefined, snapshot: Snapshot | undefined): void {
    this.repositories = new Map();
    if (file === undefined) this.#making = undefined;
    this.sha256 = file?.sha256 ?? '';
    this.#identity = file?.identity ?? '';
    this.#head = file?.head;
    this.#kept = [...(file?.unreadable ?? [])];
    this.size = file?.entries.length ?? 0;
    if (file !== undefined && this.#kept.length > 0) {
      this.#warn('entries of an index cannot be read, and are left as they are', {
        file: join(this.path, 'index.json'),
        entries: this.#kept.length,
      });
    }
    for (const entry of file?.entries ?? []) this.#addEntry(entry, snapshot?.isOfIndex ?? false);
    snapshot?.restore(this);
  }

  /** Takes the file's state for the new one and puts what has changed here since on top of it. */
  async mergeIfEdited(): Promise<boolean> {
    if ((await identityOf(join(this.path, 'index.json'))) === this.#identity) return false;
    const { file, snapshot } = await this.#read();
    // From here on nothing waits: nobody's change may come between.
    const ours = this.repositories;
    this.#take(file, snapshot);
    for (const [name, { tags, manifests, blobs }] of this.#touched) {
      const mine = ours.get(name)?.index;
      for (const digest of manifests) this.#copyManifest(name, mine, digest);
      for (const tag of tags) {
        const digest = mine?.digestOfTag(tag);
        if (digest === undefined) this.apply({ op: 'untag', repository: name, tag });
        else this.apply({ op: 'tag', repository: name, tag, digest });
      }
      for (const digest of blobs) {
        const size = mine?.blobs.get(digest)?.size;
        if (size === undefined) this.apply({ op: 'unblob', repository: name, digest });
        else this.apply({ op: 'blob', repository: name, digest, size });
      }
    }
    return true;
  }

  #copyManifest(repository: string, from: RepositoryIndex | undefined, digest: Digest): void {
    const entry = from?.manifests.get(digest);
    if (entry === undefined) this.apply({ op: 'unmanifest', repository, digest });
    else {
      const { descriptor, subject, referrer } = entry;
      this.apply({ op: 'manifest', repository, descriptor, subject, referrer });
    }
  }

  /** Makes a record visible. */
  apply(record: JournalRecord): void {
    if (record.op === 'folded' || record.op === 'base') return;
    const now = Date.now();
    const repository = this.repository(record.repository);
    const { index } = repository;
    const touched = this.#touchedOf(record.repository);
    switch (record.op) {
      case 'tag':
        touched.tags.add(record.tag);
        repository.foreign.delete(record.tag);
        this.#makeExplicit(record.repository, record.digest);
        index.setTag(record.tag, record.digest);
        break;
      case 'untag':
        touched.tags.add(record.tag);
        repository.foreign.delete(record.tag);
        this.#keepWhenUntagged(record.repository, record.tag);
        index.removeTag(record.tag);
        break;
      case 'manifest': {
        const { descriptor, subject, referrer } = record;
        touched.manifests.add(descriptor.digest);
        repository.implicit.delete(descriptor.digest);
        repository.unparsed.delete(descriptor.digest);
        if (repository.foreign.get(descriptor.digest)?.mediaType !== descriptor.mediaType) {
          repository.foreign.delete(descriptor.digest);
        }
        index.putManifest({ descriptor, links: nothing, subject, referrer }, 0);
        break;
      }
      case 'unmanifest':
        touched.manifests.add(record.digest);
        repository.foreign.delete(record.digest);
        for (const tag of index.manifests.get(record.digest)?.tags ?? []) {
          touched.tags.add(tag);
          repository.foreign.delete(tag);
        }
        repository.implicit.delete(record.digest);
        repository.unparsed.delete(record.digest);
        index.removeManifest(record.digest);
        break;
      case 'blob':
        touched.blobs.add(record.digest);
        index.blobs.set(record.digest, {
          size: record.size,
          createdAt: index.blobs.get(record.digest)?.createdAt ?? now,
          usedAt: now,
        });
        break;
      case 'unblob':
        touched.blobs.add(record.digest);
        index.blobs.delete(record.digest);
        break;
    }
    if (index.isEmpty) this.repositories.delete(record.repository);
  }

  #makeExplicit(repository: string, digest: Digest): void {
    if (this.repository(repository).implicit.delete(digest)) this.#touchedOf(repository).manifests.add(digest);
  }

  /** A manifest that loses its last tag gets an entry of its own. */
  #keepWhenUntagged(repository: string, tag: string): void {
    const digest = this.repository(repository).index.digestOfTag(tag);
    if (digest !== undefined) this.#touchedOf(repository).manifests.add(digest);
  }

  #touchedOf(repository: string): Touched {
    let touched = this.#touched.get(repository);
    if (touched === undefined) {
      touched = { tags: new Set(), manifests: new Set(), blobs: new Set() };
      this.#touched.set(repository, touched);
    }
    return touched;
  }

  /** Makes the directory a layout, if it is none. */
  make(): Promise<void> {
    // One at a time: an empty index must not take the place of one that has been written meanwhile.
    this.#making ??= this.#make().catch((error: unknown) => {
      this.#making = undefined;
      throw error;
    });
    return this.#making;
  }

  async #make(): Promise<void> {
    await this.#files.makeDirectory(join(this.path, 'blobs'));
    await this.#tidy();
    const marker = join(this.path, 'oci-layout');
    if ((await identityOf(marker)) === '') {
      await this.#files.replace(marker, [Buffer.from('{"imageLayoutVersion":"1.0.0"}')]);
    }
    const index = join(this.path, 'index.json');
    if ((await identityOf(index)) === '') {
      await this.#files.replace(index, indexLines(undefined, []));
      const made = await readIndex(index);
      this.sha256 = made?.sha256 ?? '';
      this.#identity = made?.identity ?? '';
    }
  }

  /**
   * Writes the index.
   *
   * @param beforeRename is told the sha256 that the index will have, when its content is durable
   */
  async fold(beforeRename: (sha256: string) => Promise<void>): Promise<void> {
    await this.make();
    const touched = this.#touched;
    this.#touched = new Map();
    this.#isFolding = true;
    const path = join(this.path, 'index.json');
    const hash = createHash('sha256');
    const lines = indexLines(this.#head, this.#entries());
    let sha256 = '';
    const write = async function* (layout: Layout): AsyncGenerator<Buffer> {
      for await (const piece of lines) {
        hash.update(piece);
        yield piece;
      }
      sha256 = hash.digest('hex');
      await writeSnapshot(layout.#snapshots, sha256, layout, layout.#files);
      await beforeRename(sha256);
    };
    try {
      await this.#files.replace(path, write(this));
      this.sha256 = sha256;
      this.#identity = await identityOf(path);
    } catch (error) {
      for (const [name, { tags, manifests, blobs }] of touched) {
        const again = this.#touchedOf(name);
        for (const tag of tags) again.tags.add(tag);
        for (const digest of manifests) again.manifests.add(digest);
        for (const digest of blobs) again.blobs.add(digest);
      }
      throw error;
    } finally {
      this.#isFolding = false;
    }
  }

  /** Removes what a crash in the middle of a write left. Only this process writes here, and nothing is under way. */
  async #tidy(): Promise<void> {
    if (this.#isTidy) return;
    for (const name of await readdir(this.path)) {
      if (isTemporary(name)) await rm(join(this.path, name), { force: true });
    }
    this.#isTidy = true;
  }

  *#entries(): Generator {
    let size = 0;
    for (const [name, { index, implicit, foreign }] of this.repositories) {
      for (
        let tags = index.tagNames.after(undefined, 512);
        tags.length > 0;
        tags = index.tagNames.after(tags.at(-1), 512)
      ) {
        for (const tag of tags) {
          const digest = index.digestOfTag(tag);
          const entry = digest === undefined ? undefined : index.manifests.get(digest);
          if (entry === undefined) continue;
          size++;
          yield foreign.get(tag) ?? this.#entry(name, tag, entry.descriptor);
        }
      }
      for (const [digest, { descriptor, tags }] of index.manifests) {
        if (tags.size > 0 || implicit.has(digest)) continue;
        size++;
        yield foreign.get(digest) ?? this.#entry(name, undefined, descriptor);
      }
    }
    yield* this.#kept;
    this.size = size;
  }

  #entry(repository: string, tag: string | undefined, { mediaType, digest, size }: Descriptor): Descriptor {
    const refName = this.#names.format(repository, tag, digest);
    const entry = { mediaType, digest, size };
    return refName === undefined ? entry : { ...entry, annotations: { [refNameAnnotation]: refName } };
  }

  #addEntry(entry: Descriptor, isParsed: boolean): void {
    const refName = entry.annotations?.[refNameAnnotation];
    const name = this.#names.parse(refName);
    if (name === undefined) {
      this.#kept.push(entry);
      this.#warn('an entry of an index names no repository here, and is left as it is', {
        file: join(this.path, 'index.json'),
        name: refName,
      });
      return;
    }
    const repository = this.repository(name.repository);
    const { index } = repository;
    const { mediaType, digest, size } = entry;
    if (!index.manifests.has(digest)) {
      index.putManifest(
        { descriptor: { mediaType, digest, size }, links: nothing, subject: undefined, referrer: undefined },
        0,
      );
      if (!isParsed) repository.unparsed.add(digest);
    }
    if (name.tag !== undefined) index.setTag(name.tag, digest);
    const ours = this.#entry(name.repository, name.tag, index.manifests.get(digest)?.descriptor ?? entry);
    // The last of several that say the same tag counts.
    if (JSON.stringify(entry) === JSON.stringify(ours)) repository.foreign.delete(name.tag ?? digest);
    else repository.foreign.set(name.tag ?? digest, entry);
  }

  /** Looks into the manifests that other tools wrote: what they name belongs to the repository too. */
  async explore(name: string): Promise<void> {
    // Again if it has become another meanwhile, because somebody edited the index.
    for (;;) {
      const repository = this.repositories.get(name);
      if (repository === undefined || repository.unparsed.size === 0) return;
      repository.exploring ??= this.#explore(repository).finally(() => {
        repository.exploring = undefined;
      });
      await repository.exploring;
    }
  }

  async #explore({ index, implicit, unparsed }: LayoutRepository): Promise<void> {
    for (const digest of unparsed) {
      const path = this.blobPath(digest);
      const mediaType = index.manifests.get(digest)?.descriptor.mediaType;
      const document = mediaType === undefined ? undefined : await this.#readDocument(path, mediaType);
      // It stays on the list until now: an index that is written meanwhile must not say that it was looked into. It
      // may have been deleted, or pushed here.
      if (!unparsed.delete(digest)) continue;
      const entry = index.manifests.get(digest);
      if (entry === undefined) continue;
      if (document === undefined) {
        // An entry of its own is left as it is; what only an index names is not here.
        if (implicit.delete(digest)) index.removeManifest(digest);
        continue;
      }
      const { descriptor } = entry;
      const { blobs, manifests, subject } = linksOf(document);
      if (subject !== undefined) {
        const referrer = referrerDescriptor(document, descriptor);
        index.putManifest({ descriptor, links: nothing, subject: subject.digest, referrer }, entry.createdAt);
      }
      for (const child of manifests) {
        if (index.manifests.has(child.digest)) continue;
        const own = { mediaType: child.mediaType, digest: child.digest, size: child.size };
        index.putManifest(
          { descriptor: own, links: nothing, subject: undefined, referrer: undefined },
          entry.createdAt,
        );
        implicit.add(child.digest);
        unparsed.add(child.digest);
      }
      if (!this.#isShared) continue;
      for (const { digest: blob } of blobs) {
        const size = sizeOfFile(this.blobPath(blob));
        if (size !== undefined && !index.blobs.has(blob)) index.blobs.set(blob, { size, createdAt: 0, usedAt: 0 });
      }
    }
  }

  /** Undefined if it is not there, or is no manifest. */
  async #readDocument(path: string, mediaType: string): Promise<ReturnType<typeof parseManifest> | undefined> {
    const size = sizeOfFile(path);
    try {
      if (size === undefined || size > largestManifest) throw new RangeError(`its size is ${size}`);
      return parseManifest(await readFile(path, { flag: noLinks }), mediaType);
    } catch (error) {
      if (hasSystemError(error)) throw error;
      this.#warn('a manifest of an index cannot be read', { file: path, error });
      return undefined;
    }
  }

  /** Any blob or manifest that is there. */
  async anyBlob(): Promise<string | undefined> {
    const blobs = join(this.path, 'blobs');
    for (const algorithm of await entriesOf(blobs)) {
      const [first] = await entriesOf(join(blobs, algorithm.name));
      if (first !== undefined) return first.name;
    }
    return undefined;
  }

  /** A link could lead out of the root. */
  async #assertNoLinks(): Promise<void> {
    try {
      await assertInside(this.#root, [...(this.directory === '' ? [] : this.directory.split('/')), 'blobs']);
      await assertInside(this.path, ['index.json']);
    } catch (error) {
      this.#warn('a layout is behind a symbolic link, which is not followed', { directory: this.path });
      throw error;
    }
  }

  /** What a tag will be when all that is queued has been written. */
  queuedTag(repository: string, tag: string): Digest | undefined {
    const queued = this.#queued.get(`${repository}:${tag}`);
    return queued === undefined ? this.repositories.get(repository)?.index.digestOfTag(tag) : queued.digest;
  }

  /** Until the returned function is called, others judge tags by these records. */
  queue(records: readonly JournalRecord[]): () => void {
    const queued = records.flatMap((record) => {
      if (record.op !== 'tag' && record.op !== 'untag') return [];
      const key = `${record.repository}:${record.tag}`;
      const entry = { digest: record.op === 'tag' ? record.digest : undefined };
      this.#queued.set(key, entry);
      return [{ key, entry }];
    });
    return () => {
      for (const { key, entry } of queued) if (this.#queued.get(key) === entry) this.#queued.delete(key);
    };
  }

  async #assertVersion(): Promise<void> {
    const path = join(this.path, 'oci-layout');
    let version: unknown;
    try {
      version = (JSON.parse(await readFile(path, 'utf8')) as { imageLayoutVersion?: unknown }).imageLayoutVersion;
    } catch (error) {
      if (isMissing(error)) return;
      throw new RegistryError('UNAVAILABLE', `${path} cannot be read`, { cause: error });
    }
    if (version !== '1.0.0') {
      throw new RegistryError(
        'UNAVAILABLE',
        `${path} is of version ${JSON.stringify(version)}: only 1.0.0 is known here`,
      );
    }
  }
}

/** Other tools' manifests are not bounded by what a push may bring. */
const largestManifest = 64 * 1024 * 1024;
/** A link that takes the place of a file after it was looked at is not followed either. */
export const noLinks: number = constants.O_RDONLY | constants.O_NOFOLLOW;

/** Not what the file holds is wrong, but reading it failed. */
function hasSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !isMissing(error);
}

/** Undefined if there is no such file; a link is none. A look at a name takes microseconds; handing it to a thread takes a hundred. */
export function sizeOfFile(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : undefined;
}

export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

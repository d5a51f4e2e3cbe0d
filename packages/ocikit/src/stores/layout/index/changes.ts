// Which tags, manifests and blobs of a layout have changed since its index was written.
import type { Digest } from '../../../model/index.ts';

import type { LayoutRepository } from './layout-repository.ts';

/** The names that have changed in one repository. The repository itself has their new values. */
export interface RepositoryChanges {
  /** Tags that were set or deleted, with the digest that each had in the index before; undefined if it had none. */
  readonly tags: Map<string, Digest | undefined>;
  /** Manifests that were added or removed. */
  readonly manifests: Set<Digest>;
  /** Blobs that were added or removed. */
  readonly blobs: Set<Digest>;
  /** Manifests that were added since the index was written: no index on disk names them. */
  readonly unwritten: Set<Digest>;
}

/** The names that have changed in a layout, by repository. */
export class LayoutChanges implements Iterable<readonly [string, RepositoryChanges]> {
  readonly #repositories = new Map<string, RepositoryChanges>();
  /** True while an index is being written: it may contain a part of these changes. */
  isWriting = false;

  get isEmpty(): boolean {
    return this.#repositories.size === 0;
  }

  /** The number of tags and manifests. */
  get size(): number {
    let size = 0;
    for (const { tags, manifests } of this.#repositories.values()) size += tags.size + manifests.size;
    return size;
  }

  get(repository: string): RepositoryChanges | undefined {
    return this.#repositories.get(repository);
  }

  of(repository: string): RepositoryChanges {
    let changed = this.#repositories.get(repository);
    if (changed === undefined) {
      changed = { tags: new Map(), manifests: new Set(), blobs: new Set(), unwritten: new Set() };
      this.#repositories.set(repository, changed);
    }
    return changed;
  }

  /** True if the index on disk does not name the manifest, neither in this repository nor in another one. */
  isUnwritten(repository: string, digest: Digest): boolean {
    if (this.#repositories.get(repository)?.unwritten.has(digest) !== true) return false;
    for (const { manifests, unwritten } of this.#repositories.values()) {
      if (manifests.has(digest) && !unwritten.has(digest)) return false;
    }
    return true;
  }

  /** Forgets what the index on disk does not name, as another tool has written the index. */
  forgetUnwritten(): void {
    for (const { unwritten } of this.#repositories.values()) unwritten.clear();
  }

  /** Notes the digests that the tags have in another index on disk. */
  noteBefore(repositories: ReadonlyMap<string, LayoutRepository>): void {
    for (const [name, { tags }] of this.#repositories) {
      const index = repositories.get(name)?.index;
      for (const tag of tags.keys()) tags.set(tag, index?.digestOfTag(tag));
    }
  }

  /** Adds earlier changes, which an index may contain by now. */
  add(others: LayoutChanges): void {
    for (const [repository, { tags, manifests, blobs }] of others) {
      const changed = this.of(repository);
      for (const [tag, before] of tags) changed.tags.set(tag, before);
      for (const digest of manifests) changed.manifests.add(digest);
      for (const digest of blobs) changed.blobs.add(digest);
    }
  }

  [Symbol.iterator](): Iterator<[string, RepositoryChanges]> {
    return this.#repositories[Symbol.iterator]();
  }
}

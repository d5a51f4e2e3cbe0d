// Which tags, manifests and blobs of a layout have changed since its index was written.
import type { Digest } from '../../../model/index.ts';

/** The names that have changed in one repository. The repository itself has their new values. */
export interface RepositoryChanges {
  /** Tags that were set or deleted. */
  readonly tags: Set<string>;
  /** Manifests that were added or removed. */
  readonly manifests: Set<Digest>;
  /** Blobs that were added or removed. */
  readonly blobs: Set<Digest>;
}

/** The names that have changed in a layout, by repository. */
export class LayoutChanges implements Iterable<readonly [string, RepositoryChanges]> {
  readonly #repositories = new Map<string, RepositoryChanges>();

  get isEmpty(): boolean {
    return this.#repositories.size === 0;
  }

  of(repository: string): RepositoryChanges {
    let changed = this.#repositories.get(repository);
    if (changed === undefined) {
      changed = { tags: new Set(), manifests: new Set(), blobs: new Set() };
      this.#repositories.set(repository, changed);
    }
    return changed;
  }

  add(others: LayoutChanges): void {
    for (const [repository, { tags, manifests, blobs }] of others) {
      const changed = this.of(repository);
      for (const tag of tags) changed.tags.add(tag);
      for (const digest of manifests) changed.manifests.add(digest);
      for (const digest of blobs) changed.blobs.add(digest);
    }
  }

  [Symbol.iterator](): Iterator<[string, RepositoryChanges]> {
    return this.#repositories[Symbol.iterator]();
  }
}

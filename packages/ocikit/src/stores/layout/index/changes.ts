import type { Digest } from '../../../model/index.ts';

/** What has changed in one repository. What it has become, the repository says. */
export interface RepositoryChanges {
  readonly tags: Set<string>;
  readonly manifests: Set<Digest>;
  readonly blobs: Set<Digest>;
}

/** What has changed in a layout. */
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

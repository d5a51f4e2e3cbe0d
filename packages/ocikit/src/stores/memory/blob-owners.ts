import type { Digest } from '../../model/index.ts';
import type { BlobStore } from '../blobs/index.ts';

interface Owned {
  /** The repository that the blob store was told when it was given the bytes. */
  home: string;
  repositories: Set<string>;
  /** Writes of these bytes that are under way. */
  writers: number;
  /** Settles when a removal of the bytes that has begun is through. */
  removal: Promise<void> | undefined;
}

/**
 * Which repositories have which blob. The blob store keeps the bytes once; they go when the last repository lets go of
 * them and nobody is writing them again.
 */
export class BlobOwners {
  readonly #blobs: BlobStore;
  readonly #owned = new Map<Digest, Owned>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** Distinct blobs. */
  get size(): number {
    return this.#owned.size;
  }

  /** True if some repository has the blob. */
  has(digest: Digest): boolean {
    return (this.#owned.get(digest)?.repositories.size ?? 0) > 0;
  }

  /** A repository that has the blob. */
  any(digest: Digest): string | undefined {
    return this.#owned.get(digest)?.repositories.values().next().value;
  }

  /** The repository to name to the blob store. */
  home(digest: Digest, repository: string): string {
    return this.#owned.get(digest)?.home ?? repository;
  }

  add(digest: Digest, repository: string): void {
    this.#entry(digest, repository).repositories.add(repository);
  }

  /** Runs what writes the bytes; their removal waits for it, and it for a removal that has begun. */
  async whileWriting<T>(digest: Digest, repository: string, write: (home: string) => Promise<T>): Promise<T> {
    let entry = this.#entry(digest, repository);
    while (entry.removal !== undefined) {
      await entry.removal;
      entry = this.#entry(digest, repository);
    }
    entry.writers++;
    try {
      return await write(entry.home);
    } finally {
      entry.writers--;
      if (entry.writers === 0 && entry.repositories.size === 0) this.#owned.delete(digest);
    }
  }

  /** The repository lets go of the blob. */
  async remove(digest: Digest, repository: string): Promise<void> {
    const entry = this.#owned.get(digest);
    if (entry === undefined) return;
    entry.repositories.delete(repository);
    if (entry.repositories.size > 0 || entry.writers > 0) return;
    entry.removal ??= this.#removeBytes(digest, entry);
    await entry.removal;
  }

  async #removeBytes(digest: Digest, entry: Owned): Promise<void> {
    try {
      await this.#blobs.delete?.(entry.home, digest, {});
    } finally {
      entry.removal = undefined;
      if (entry.repositories.size === 0 && entry.writers === 0) this.#owned.delete(digest);
    }
  }

  #entry(digest: Digest, repository: string): Owned {
    let entry = this.#owned.get(digest);
    if (entry === undefined) {
      entry = { home: repository, repositories: new Set(), writers: 0, removal: undefined };
      this.#owned.set(digest, entry);
    }
    return entry;
  }
}

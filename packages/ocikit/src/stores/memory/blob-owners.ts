// The owners of each blob, which decide when its bytes are deleted.
import { isRegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import type { BlobStore } from '../blobs/index.ts';

interface Owned {
  /** The repository under which the bytes are in the blob store. */
  home: string;
  repositories: Set<string>;
  /** The number of writes of these bytes in progress. */
  writers: number;
  /** The removal of the bytes that is in progress. */
  removal: Promise<void> | undefined;
  /** True if the bytes are in the blob store because a repository has them, or had them until their removal. */
  stored: boolean;
  /** When a repository last gave the blob up, in milliseconds since 1970. */
  abandonedAt: number;
  /** Bytes; 0 if no repository knew the size. */
  size: number;
  /** True if the blob store had the bytes before any push. Then this registry must neither hide nor remove them. */
  found: boolean;
}

/** The origin of a blob's bytes. */
export interface BlobOrigin {
  /** The repository under which they are in the blob store. Default: the repository that gets the blob. */
  home?: string | undefined;
  /** True if the blob store had them before any push. Default: false. */
  found?: boolean | undefined;
  /** Bytes. */
  size?: number | undefined;
}

/**
 * The repositories that have each blob. The blob store keeps the bytes once. They are deleted when no repository has
 * the blob any more and no write of it is in progress.
 */
export class BlobOwners {
  readonly #blobs: BlobStore;
  readonly #owned = new Map<Digest, Owned>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** The number of distinct blobs. */
  get size(): number {
    return this.#owned.size;
  }

  /** True if the bytes are in the blob store because a repository has the blob, or had it. */
  has(digest: Digest): boolean {
    const entry = this.#owned.get(digest);
    return entry !== undefined && entry.stored && !entry.found;
  }

  /** One of the repositories that have the blob; undefined if none has it. */
  any(digest: Digest): string | undefined {
    return this.#owned.get(digest)?.repositories.values().next().value;
  }

  /** The repositories that have the blob now. */
  all(digest: Digest): readonly string[] {
    return [...(this.#owned.get(digest)?.repositories ?? [])];
  }

  /** The repository under which the blob is in the blob store; `repository` if the blob is unknown here. */
  home(digest: Digest, repository: string): string {
    return this.#owned.get(digest)?.home ?? repository;
  }

  /**
   * Makes the repository an owner of the blob.
   *
   * @param origin the origin of the bytes. It counts only if no other repository has the blob
   */
  add(digest: Digest, repository: string, { home = repository, found = false, size = 0 }: BlobOrigin = {}): void {
    const entry = this.#entry(digest, home);
    entry.size = size;
    entry.repositories.add(repository);
    if (!entry.stored) entry.found = found;
    entry.stored = true;
  }

  /**
   * Runs a write of the bytes. Their removal waits until the write has ended, and the write waits for a removal in
   * progress.
   */
  async whileWriting<T>(digest: Digest, repository: string, write: (home: string) => Promise<T>): Promise<T> {
    let entry = this.#entry(digest, repository);
    while (entry.removal !== undefined) {
      // If the removal fails, the call that started it rejects.
      await entry.removal.catch(() => undefined);
      entry = this.#entry(digest, repository);
    }
    entry.writers++;
    try {
      return await write(entry.home);
    } finally {
      entry.writers--;
      // Only the result of the write counts here. Bytes that could not be removed are listed as abandoned.
      await this.#removeIfUnused(digest, entry).catch(() => undefined);
    }
  }

  /** Ends the repository's ownership, and deletes the bytes if it was the last owner. */
  async remove(digest: Digest, repository: string): Promise<void> {
    const entry = this.#owned.get(digest);
    if (entry === undefined) return;
    entry.repositories.delete(repository);
    entry.abandonedAt = Date.now();
    await this.#removeIfUnused(digest, entry);
  }

  /** The blobs without an owner that the blob store failed to remove. `since` is in milliseconds since 1970. */
  *abandoned(): Generator<{ digest: Digest; size: number; since: number }> {
    for (const [digest, entry] of this.#owned) {
      if (isAbandoned(entry)) yield { digest, size: entry.size, since: entry.abandonedAt };
    }
  }

  /**
   * Removes an abandoned blob.
   *
   * @param unusedSince milliseconds since 1970
   * @returns false if the blob is not abandoned, or had an owner at that time or later
   */
  async removeAbandoned(digest: Digest, unusedSince: number): Promise<boolean> {
    const entry = this.#owned.get(digest);
    if (entry === undefined || !isAbandoned(entry) || entry.abandonedAt >= unusedSince) return false;
    await this.#removeIfUnused(digest, entry);
    return true;
  }

  async #removeIfUnused(digest: Digest, entry: Owned): Promise<void> {
    if (entry.repositories.size > 0 || entry.writers > 0) return;
    if (entry.stored && !entry.found) {
      entry.removal ??= this.#removeBytes(digest, entry.home).finally(() => {
        entry.removal = undefined;
      });
      await entry.removal;
    } else {
      this.#owned.delete(digest);
    }
  }

  async #removeBytes(digest: Digest, home: string): Promise<void> {
    try {
      await this.#blobs.delete?.(home, digest, {});
    } catch (error) {
      // The bytes are gone already.
      if (!isRegistryError(error, 'BLOB_UNKNOWN')) throw error;
    }
    this.#owned.delete(digest);
  }

  #entry(digest: Digest, repository: string): Owned {
    let entry = this.#owned.get(digest);
    if (entry === undefined) {
      entry = {
        home: repository,
        repositories: new Set(),
        writers: 0,
        removal: undefined,
        stored: false,
        abandonedAt: 0,
        size: 0,
        found: false,
      };
      this.#owned.set(digest, entry);
    }
    return entry;
  }
}

function isAbandoned({ repositories, writers, removal, stored, found }: Owned): boolean {
  return stored && !found && repositories.size === 0 && writers === 0 && removal === undefined;
}

import { isRegistryError } from '../../model/index.ts';
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
  /** The bytes are in the blob store because a repository has them, or has had them and they are not yet removed. */
  stored: boolean;
  /** Milliseconds of the epoch at which the last repository let go of it. */
  abandonedAt: number;
  /** Bytes, as far as a repository knew. */
  size: number;
  /** The blob store had the bytes before anybody gave them to it: they are not this registry's to hide or to remove. */
  found: boolean;
}

/** Where the bytes of a blob come from. */
export interface BlobOrigin {
  home?: string | undefined;
  found?: boolean | undefined;
  /** Bytes. */
  size?: number | undefined;
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

  /** True if the bytes are there because a repository has the blob, or has had it. */
  has(digest: Digest): boolean {
    const entry = this.#owned.get(digest);
    return entry !== undefined && entry.stored && !entry.found;
  }

  /** A repository that has the blob. */
  any(digest: Digest): string | undefined {
    return this.#owned.get(digest)?.repositories.values().next().value;
  }

  /** The repositories that have the blob now. */
  all(digest: Digest): readonly string[] {
    return [...(this.#owned.get(digest)?.repositories ?? [])];
  }

  /** The repository to name to the blob store. */
  home(digest: Digest, repository: string): string {
    return this.#owned.get(digest)?.home ?? repository;
  }

  /**
   * @param origin of the bytes, if nobody else has the blob: the repository to name to the blob store, and whether it
   *   had them before
   */
  add(digest: Digest, repository: string, { home = repository, found = false, size = 0 }: BlobOrigin = {}): void {
    const entry = this.#entry(digest, home);
    entry.size = size;
    entry.repositories.add(repository);
    if (!entry.stored) entry.found = found;
    entry.stored = true;
  }

  /** Runs what writes the bytes; their removal waits for it, and it for a removal that has begun. */
  async whileWriting<T>(digest: Digest, repository: string, write: (home: string) => Promise<T>): Promise<T> {
    let entry = this.#entry(digest, repository);
    while (entry.removal !== undefined) {
      // If it failed, whoever asked for it has been told.
      await entry.removal.catch(() => undefined);
      entry = this.#entry(digest, repository);
    }
    entry.writers++;
    try {
      return await write(entry.home);
    } finally {
      entry.writers--;
      // The write's own outcome is what counts here; what could not be removed stays, and is nobody's.
      await this.#removeIfUnused(digest, entry).catch(() => undefined);
    }
  }

  /** The repository lets go of the blob. */
  async remove(digest: Digest, repository: string): Promise<void> {
    const entry = this.#owned.get(digest);
    if (entry === undefined) return;
    entry.repositories.delete(repository);
    entry.abandonedAt = Date.now();
    await this.#removeIfUnused(digest, entry);
  }

  /** What the blob store was given and could not be made to remove. */
  *abandoned(): Generator<{ digest: Digest; size: number; since: number }> {
    for (const [digest, entry] of this.#owned) {
      if (isAbandoned(entry)) yield { digest, size: entry.size, since: entry.abandonedAt };
    }
  }

  /** @returns false if somebody has or writes it, or somebody had it at that time or later */
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
      // Bytes that have gone already need not be removed.
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

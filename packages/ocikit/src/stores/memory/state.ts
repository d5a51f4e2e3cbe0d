// The state of the memory registry.
import { nameUnknown } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import type { BlobStore } from '../blobs/index.ts';
import { RepositoryIndex, SortedNames } from '../repository/index.ts';

import { BlobOwners } from './blob-owners.ts';
import type { BlobOrigin } from './blob-owners.ts';
import { MemoryHistory } from './history.ts';

/** A repository: its index and the bytes of its manifests. */
export class MemoryRepository {
  /** Its blobs, manifests, tags and referrers. */
  readonly index: RepositoryIndex = new RepositoryIndex();
  /** The bytes of its manifests, by digest. */
  readonly manifestBytes: Map<Digest, Uint8Array> = new Map();
}

/** The state that all parts of the memory registry share. */
export class MemoryState {
  /** The store of the blobs' bytes. */
  readonly blobs: BlobStore;
  /** The repositories that have each blob. */
  readonly owners: BlobOwners;
  /** True if an existing tag cannot be moved or deleted. */
  readonly immutableTags: boolean;
  /** True if manifests may name content that does not exist. */
  readonly sparse: boolean;
  /** True if types in manifests have to follow RFC 6838. */
  readonly strictMediaTypes: boolean;
  /** The repositories, by name. */
  readonly repositories: Map<string, MemoryRepository> = new Map();
  /** The names of the repositories. */
  readonly names: SortedNames = new SortedNames();
  /** How tags moved. */
  readonly history: MemoryHistory = new MemoryHistory();

  constructor(blobs: BlobStore, options: { immutableTags: boolean; sparse: boolean; strictMediaTypes: boolean }) {
    this.blobs = blobs;
    this.owners = new BlobOwners(blobs);
    this.immutableTags = options.immutableTags;
    this.sparse = options.sparse;
    this.strictMediaTypes = options.strictMediaTypes;
  }

  /**
   * The repository with this name.
   *
   * @throws RegistryError NAME_UNKNOWN
   */
  repository(name: string): MemoryRepository {
    const repository = this.repositories.get(name);
    if (repository === undefined) throw nameUnknown(name);
    return repository;
  }

  /** The repository with this name, created if needed. Call it only when content is stored in it. */
  createRepository(name: string): MemoryRepository {
    let repository = this.repositories.get(name);
    if (repository === undefined) {
      repository = new MemoryRepository();
      this.repositories.set(name, repository);
      this.names.add(name);
    }
    return repository;
  }

  /** Removes the repository if it is empty. Call it after content was removed. */
  forgetIfEmpty(name: string): void {
    if (this.repositories.get(name)?.index.isEmpty !== true) return;
    this.repositories.delete(name);
    this.names.delete(name);
  }

  /**
   * Adds a blob whose bytes are in the blob store to a repository.
   *
   * @param origin the origin of the bytes. It counts only if no other repository has the blob
   */
  linkBlob(name: string, digest: Digest, size: number, origin: BlobOrigin = {}): void {
    const { blobs } = this.createRepository(name).index;
    const now = Date.now();
    const before = blobs.get(digest);
    if (before === undefined) this.owners.add(digest, name, { ...origin, size });
    blobs.set(digest, { size, createdAt: before?.createdAt ?? now, usedAt: now });
  }
}

import type { Digest } from '../../model/index.ts';
import type { BlobStore } from '../blobs/index.ts';
import { nameUnknown, RepositoryIndex, SortedNames } from '../repository/index.ts';

import { BlobOwners } from './blob-owners.ts';
import type { BlobOrigin } from './blob-owners.ts';
import { MemoryHistory } from './history.ts';

/** A repository: its index and the bytes of its manifests. */
export class MemoryRepository {
  readonly index: RepositoryIndex = new RepositoryIndex();
  readonly manifestBytes: Map<Digest, Uint8Array> = new Map();
}

/** What the parts of the memory registry have in common. */
export class MemoryState {
  readonly blobs: BlobStore;
  readonly owners: BlobOwners;
  readonly immutableTags: boolean;
  readonly sparse: boolean;
  readonly repositories: Map<string, MemoryRepository> = new Map();
  readonly names: SortedNames = new SortedNames();
  readonly history: MemoryHistory = new MemoryHistory();

  constructor(blobs: BlobStore, options: { immutableTags: boolean; sparse: boolean }) {
    this.blobs = blobs;
    this.owners = new BlobOwners(blobs);
    this.immutableTags = options.immutableTags;
    this.sparse = options.sparse;
  }

  /** @throws RegistryError NAME_UNKNOWN */
  repository(name: string): MemoryRepository {
    const repository = this.repositories.get(name);
    if (repository === undefined) throw nameUnknown(name);
    return repository;
  }

  /** The repository, which begins to exist with this call: call it when its first content is stored. */
  createRepository(name: string): MemoryRepository {
    let repository = this.repositories.get(name);
    if (repository === undefined) {
      repository = new MemoryRepository();
      this.repositories.set(name, repository);
      this.names.add(name);
    }
    return repository;
  }

  /** Call it after content was removed: an empty repository is gone. */
  forgetIfEmpty(name: string): void {
    if (this.repositories.get(name)?.index.isEmpty !== true) return;
    this.repositories.delete(name);
    this.names.delete(name);
  }

  /**
   * Makes a blob that the blob store has one of the repository's.
   *
   * @param origin of the bytes, if nobody else has the blob
   */
  linkBlob(name: string, digest: Digest, size: number, origin: BlobOrigin = {}): void {
    const { blobs } = this.createRepository(name).index;
    const now = Date.now();
    const before = blobs.get(digest);
    if (before === undefined) this.owners.add(digest, name, { ...origin, size });
    blobs.set(digest, { size, createdAt: before?.createdAt ?? now, usedAt: now });
  }
}

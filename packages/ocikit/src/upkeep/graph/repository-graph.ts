import { isRegistryError, TimeSlice } from '../../model/index.ts';
import type { Descriptor, Digest, Maintenance, Registry } from '../../model/index.ts';

import { readNamed } from './manifest-links.ts';
import type { Named } from './manifest-links.ts';

/** A manifest that the repository had when its manifests were listed. */
export interface ListedManifest {
  descriptor: Descriptor;
  usedAt: number;
}

/** A manifest that is reached and cannot be read: it may name anything. */
export interface Unreadable {
  digest: Digest;
  state: 'missing' | 'corrupt';
}

/**
 * What is reached in one repository. From a manifest one reaches what it names, its subject, and the manifests whose
 * subject it is. The digests of the repository are in memory, and of manifests nothing else.
 */
export class RepositoryGraph {
  readonly repository: string;
  readonly manifests: Map<Digest, ListedManifest> = new Map();
  /** Manifests and blobs that are reached, whether they are there or not. */
  readonly reached: Set<Digest> = new Set();
  readonly unreadable: Unreadable[] = [];
  readonly #registry: Registry;
  readonly #maintenance: Maintenance;
  readonly #signal: AbortSignal | undefined;
  readonly #slice = new TimeSlice();

  constructor(registry: Registry, maintenance: Maintenance, repository: string, signal: AbortSignal | undefined) {
    this.#registry = registry;
    this.#maintenance = maintenance;
    this.repository = repository;
    this.#signal = signal;
  }

  /**
   * Lists the manifests, and reaches what can be reached from some of them.
   *
   * @param isRoot whether a manifest counts as reached by itself
   */
  async mark(isRoot: (manifest: { tags: readonly string[]; usedAt: Date }) => boolean): Promise<void> {
    const { repository } = this;
    const roots: Digest[] = [];
    for await (const manifest of this.#maintenance.manifests(repository, { signal: this.#signal })) {
      const { descriptor, usedAt } = manifest;
      this.manifests.set(descriptor.digest, { descriptor, usedAt: usedAt.getTime() });
      if (isRoot(manifest)) roots.push(descriptor.digest);
    }
    await this.reach(roots);
  }

  /** Manifests that are not reached. */
  *unreached(): Generator<ListedManifest> {
    for (const manifest of this.manifests.values()) if (!this.reached.has(manifest.descriptor.digest)) yield manifest;
  }

  /** These are reached, and with them what is reached from them. */
  async reach(digests: Iterable<Digest>): Promise<void> {
    const waiting = [...digests];
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
      if (this.reached.has(digest)) continue;
      this.reached.add(digest);
      const manifest = this.manifests.get(digest);
      if (manifest === undefined) continue;
      const named = await this.named(manifest.descriptor);
      if (typeof named === 'string') {
        this.unreadable.push({ digest, state: named });
      } else {
        for (const content of named.blobs) this.#reachNamed(content.digest, waiting);
        for (const content of named.manifests) this.#reachNamed(content.digest, waiting);
        if (named.subject !== undefined) this.#reachNamed(named.subject, waiting);
      }
      await this.#addReferrers(digest, waiting);
      await this.giveWay();
    }
  }

  /** What is no manifest leads nowhere, so it need not wait. */
  #reachNamed(digest: Digest, waiting: Digest[]): void {
    if (this.manifests.has(digest)) waiting.push(digest);
    else this.reached.add(digest);
  }

  async #addReferrers(subject: Digest, waiting: Digest[]): Promise<void> {
    try {
      const options = { signal: this.#signal };
      for await (const { digest } of this.#registry.referrers(this.repository, subject, options)) waiting.push(digest);
    } catch (error) {
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }

  named(descriptor: Descriptor): Promise<Named | 'missing' | 'corrupt'> {
    return readNamed(this.#maintenance, this.repository, descriptor);
  }

  /** Ends if nobody wants it any more; lets others have their turn. */
  async giveWay(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#slice.isOver) await this.#slice.giveWay();
  }
}

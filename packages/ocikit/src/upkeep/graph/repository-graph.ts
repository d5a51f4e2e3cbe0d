// The reachable content of one repository, found by following manifests from a set of roots.
import { isRegistryError, TimeSlice } from '../../model/index.ts';
import type { Descriptor, Digest, Maintenance, Registry, StoredManifest } from '../../model/index.ts';

import { readManifestLinks } from './manifest-links.ts';
import type { ManifestLinks } from './manifest-links.ts';

/** A manifest that the repository had when its manifests were listed. */
export interface ListedManifest {
  /** Its media type, digest and size. */
  descriptor: Descriptor;
  /** When it was last used, in milliseconds of the epoch. */
  usedAt: number;
}

/** A reachable manifest that cannot be read. It may name any content of the repository. */
export interface Unreadable {
  /** The manifest's digest. */
  digest: Digest;
  /** Why it cannot be read. */
  state: 'missing' | 'corrupt';
}

/** True if a manifest is reachable by itself: it has a tag, or an entry of another tool. */
export function isNamed({ tags, isPinned }: Pick<StoredManifest, 'tags' | 'isPinned'>): boolean {
  return tags.length > 0 || isPinned === true;
}

/**
 * The reachable content of one repository. A reachable manifest makes reachable: the content that it names, its
 * subject, and its referrers. Memory holds the repository's digests, but no manifest's bytes.
 */
export class RepositoryGraph {
  /** The repository's name. */
  readonly repository: string;
  /** All manifests of the repository. */
  readonly manifests: Map<Digest, ListedManifest> = new Map();
  /** Reachable manifests and blobs, whether the repository has them or not. */
  readonly reached: Set<Digest> = new Set();
  /** Reachable manifests that cannot be read. */
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
   * Lists the repository's manifests, and marks all content that is reachable from the roots.
   *
   * @param isRoot tells whether a manifest is reachable by itself
   */
  async mark(isRoot: (manifest: StoredManifest) => boolean): Promise<void> {
    const { repository } = this;
    const roots: Digest[] = [];
    for await (const manifest of this.#maintenance.manifests(repository, { signal: this.#signal })) {
      const { descriptor, usedAt } = manifest;
      this.manifests.set(descriptor.digest, { descriptor, usedAt: usedAt.getTime() });
      if (isRoot(manifest)) roots.push(descriptor.digest);
    }
    await this.reach(roots);
  }

  /** Gives the manifests that are not reachable. */
  *unreached(): Generator<ListedManifest> {
    for (const manifest of this.manifests.values()) if (!this.reached.has(manifest.descriptor.digest)) yield manifest;
  }

  /** Marks this content as reachable, with all that it makes reachable. */
  async reach(digests: Iterable<Digest>): Promise<void> {
    const waiting = [...digests];
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
      if (this.reached.has(digest)) continue;
      this.reached.add(digest);
      const manifest = this.manifests.get(digest);
      if (manifest === undefined) continue;
      const links = await this.linksOf(manifest.descriptor);
      if (typeof links === 'string') {
        this.unreadable.push({ digest, state: links });
      } else {
        for (const content of links.blobs) this.#reachNamed(content.digest, waiting);
        for (const content of links.manifests) this.#reachNamed(content.digest, waiting);
        if (links.subject !== undefined) this.#reachNamed(links.subject, waiting);
      }
      await this.#addReferrers(digest, waiting);
      await this.giveWay();
    }
  }

  /** Blobs have no links, so they need not be queued. */
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

  /** Reads a manifest's links from the store. */
  linksOf(descriptor: Descriptor): Promise<ManifestLinks | 'missing' | 'corrupt'> {
    return readManifestLinks(this.#maintenance, this.repository, descriptor);
  }

  /** Lets other tasks run, if this one has run for long. Rejects if the caller has aborted. */
  async giveWay(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#slice.isOver) await this.#slice.giveWay();
  }
}

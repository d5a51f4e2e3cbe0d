// Removes the garbage of one repository.
import { isRegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import { isNamed, removalOrderOf, RepositoryGraph } from '../graph/index.ts';
import { addToTally, ageThreshold, mapAhead } from '../shared/index.ts';

import type { Collection } from './collection.ts';

/** A client may delete a manifest after it was listed and before it is read. The second attempt does not list it. */
const attempts = 2;

/**
 * Removes the unreachable manifests of one repository, then its unreachable blobs. Rejects with NAME_UNKNOWN if it is
 * gone.
 */
export async function sweepRepository(collection: Collection, repository: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const sweep = new RepositorySweep(collection, repository, await ageToKeep(collection, repository));
    const { unreadable } = await sweep.mark();
    const [first] = unreadable;
    if (first === undefined) return sweep.sweep();
    if (attempt < attempts) continue;
    collection.report.skipped++;
    return collection.onEvent({ type: 'skipped', repository, ...first });
  }
}

/**
 * The blobs of a running push may be as old as the push: it sent them first, or found them there and did not send
 * them.
 */
async function ageToKeep({ gracePeriod, uploads }: Collection, repository: string): Promise<number> {
  const oldest = await uploads.oldestIn(repository);
  return gracePeriod + (oldest === undefined ? 0 : Math.max(Date.now() - oldest, 0));
}

class RepositorySweep {
  readonly #collection: Collection;
  readonly #repository: string;
  readonly #threshold: () => Date;
  readonly #graph: RepositoryGraph;
  /** The sizes of blobs that are being removed. */
  readonly #sizes = new Map<Digest, number>();

  constructor(collection: Collection, repository: string, age: number) {
    const { registry, maintenance, signal } = collection;
    this.#collection = collection;
    this.#repository = repository;
    // Take the time before reading anything: content that changes from now on then counts as used.
    this.#threshold = ageThreshold(age);
    this.#graph = new RepositoryGraph(registry, maintenance, repository, signal);
  }

  async mark(): Promise<RepositoryGraph> {
    const { untagged } = this.#collection;
    const graph = this.#graph;
    const unusedSince = this.#threshold().getTime();
    await graph.mark(
      (manifest) => untagged === 'keep' || isNamed(manifest) || manifest.usedAt.getTime() >= unusedSince,
    );
    await this.#reachFormer();
    if (this.#collection.dangling === 'keep') await this.#reachDangling();
    return graph;
  }

  /**
   * Keeps former targets of tags. Runs after the tags were listed: a tag that moves later moves from a listed target.
   */
  async #reachFormer(): Promise<void> {
    const { keptHistory, signal } = this.#collection;
    if (keptHistory === undefined) return;
    const since = Date.now() - keptHistory.time;
    const former = new Set<Digest>();
    for await (const { at, previous } of keptHistory.history.moves(this.#repository, { signal })) {
      if (at.getTime() < since) break;
      if (previous !== undefined) former.add(previous);
      await this.#graph.giveWay();
    }
    await this.#graph.reach(former);
  }

  /** Keeps manifests whose subject is missing. */
  async #reachDangling(): Promise<void> {
    const graph = this.#graph;
    const dangling: Digest[] = [];
    for (const { descriptor } of graph.unreached()) {
      const links = await graph.linksOf(descriptor);
      const subject = typeof links === 'string' ? undefined : links.subject;
      if (subject !== undefined && !graph.manifests.has(subject)) dangling.push(descriptor.digest);
      await graph.giveWay();
    }
    await graph.reach(dangling);
  }

  async sweep(): Promise<void> {
    const order = await removalOrderOf(this.#graph);
    for (const wave of order.waves()) {
      await this.#remove('manifest', wave);
      // A manifest of this wave is in use again but damaged: its links are unknown, so any blob may be one of them.
      // A missing manifest does not matter: a client deleted it.
      if (this.#graph.unreadable.some(({ state }) => state === 'corrupt')) return;
    }
    await this.#remove('blob', this.#unreachedBlobs());
  }

  async *#unreachedBlobs(): AsyncGenerator<Digest, void, undefined> {
    const { maintenance, signal } = this.#collection;
    const graph = this.#graph;
    try {
      for await (const { descriptor, size, usedAt } of maintenance.blobs(this.#repository, { signal })) {
        await graph.giveWay();
        if (graph.reached.has(descriptor.digest) || usedAt.getTime() >= this.#threshold().getTime()) continue;
        this.#sizes.set(descriptor.digest, size);
        yield descriptor.digest;
      }
    } catch (error) {
      // The repository went with its last content.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }

  async #remove(kind: 'manifest' | 'blob', digests: Iterable<Digest> | AsyncIterable<Digest>): Promise<void> {
    const { maintenance, dryRun, concurrency, signal, report, onEvent } = this.#collection;
    const repository = this.#repository;
    const removals = mapAhead(digests, concurrency, async (digest) => {
      // It may be reachable again: a client started to use a manifest that names it.
      if (this.#graph.reached.has(digest)) return { digest, outcome: 'reached' } as const;
      if (dryRun) return { digest, outcome: 'removed' } as const;
      const isGone = await maintenance.removeUnused(repository, digest, { unusedSince: this.#threshold() });
      return { digest, outcome: isGone ? 'removed' : 'kept' } as const;
    });
    for await (const { digest, outcome } of removals) {
      signal?.throwIfAborted();
      const size = this.#graph.manifests.get(digest)?.descriptor.size ?? this.#sizes.get(digest) ?? 0;
      if (kind === 'blob') this.#sizes.delete(digest);
      if (outcome === 'removed') {
        addToTally(kind === 'manifest' ? report.manifests : report.blobs, size);
        onEvent({ type: 'garbage', repository, kind, digest, size });
      } else if (outcome === 'kept') {
        onEvent({ type: 'kept', repository, kind, digest });
        // Keep everything that it names. All of that is still there.
        if (kind === 'manifest') await this.#graph.reach([digest]);
      }
    }
  }
}

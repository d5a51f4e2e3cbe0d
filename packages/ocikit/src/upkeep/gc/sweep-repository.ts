import { isRegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import { removalOrderOf, RepositoryGraph } from '../graph/index.ts';
import { add, cutOffBefore, mapAhead } from '../shared/index.ts';

import type { Collection } from './collection.ts';

/** Somebody may delete a manifest while it is about to be read: then it is gone the second time. */
const attempts = 2;

/** Removes what is not reached in one repository: manifests first, and then blobs. Rejects with NAME_UNKNOWN if it is gone. */
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

/** What a push that is under way has sent, or has been told that it need not send, may be as old as that push. */
async function ageToKeep({ gracePeriod, uploads }: Collection, repository: string): Promise<number> {
  const oldest = await uploads.oldestIn(repository);
  return gracePeriod + (oldest === undefined ? 0 : Math.max(Date.now() - oldest, 0));
}

class RepositorySweep {
  readonly #collection: Collection;
  readonly #repository: string;
  readonly #cutOff: () => Date;
  readonly #graph: RepositoryGraph;
  /** Of blobs that are being removed. */
  readonly #sizes = new Map<Digest, number>();

  constructor(collection: Collection, repository: string, age: number) {
    const { registry, maintenance, signal } = collection;
    this.#collection = collection;
    this.#repository = repository;
    // Before anything is looked at: what changes meanwhile is used later than that.
    this.#cutOff = cutOffBefore(age);
    this.#graph = new RepositoryGraph(registry, maintenance, repository, signal);
  }

  async mark(): Promise<RepositoryGraph> {
    const { untagged } = this.#collection;
    const graph = this.#graph;
    const unusedSince = this.#cutOff().getTime();
    await graph.mark(({ tags, usedAt }) => untagged === 'keep' || tags.length > 0 || usedAt.getTime() >= unusedSince);
    await this.#reachFormer();
    if (this.#collection.dangling === 'keep') await this.#reachDangling();
    return graph;
  }

  /** After the tags were listed: a move that comes later is of one that was seen. */
  async #reachFormer(): Promise<void> {
    const { kept, signal } = this.#collection;
    if (kept === undefined) return;
    const since = Date.now() - kept.time;
    const former = new Set<Digest>();
    for await (const { at, previous } of kept.history.moves(this.#repository, { signal })) {
      if (at.getTime() < since) break;
      if (previous !== undefined) former.add(previous);
      await this.#graph.giveWay();
    }
    await this.#graph.reach(former);
  }

  async #reachDangling(): Promise<void> {
    const graph = this.#graph;
    const dangling: Digest[] = [];
    for (const { descriptor } of graph.unreached()) {
      const named = await graph.named(descriptor);
      const subject = typeof named === 'string' ? undefined : named.subject;
      if (subject !== undefined && !graph.manifests.has(subject)) dangling.push(descriptor.digest);
      await graph.giveWay();
    }
    await graph.reach(dangling);
  }

  async sweep(): Promise<void> {
    const order = await removalOrderOf(this.#graph);
    for (const wave of order.waves()) {
      await this.#remove('manifest', wave);
      // One that is used after all is damaged: nobody knows what it names. One that is missing somebody has deleted.
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
        if (graph.reached.has(descriptor.digest) || usedAt.getTime() >= this.#cutOff().getTime()) continue;
        this.#sizes.set(descriptor.digest, size);
        yield descriptor.digest;
      }
    } catch (error) {
      // The repository has gone with its last content.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }

  async #remove(kind: 'manifest' | 'blob', digests: Iterable<Digest> | AsyncIterable<Digest>): Promise<void> {
    const { maintenance, dryRun, concurrency, signal, report, onEvent } = this.#collection;
    const repository = this.#repository;
    const removals = mapAhead(digests, concurrency, async (digest) => {
      // Meanwhile somebody may have begun to use what names it.
      if (this.#graph.reached.has(digest)) return { digest, outcome: 'reached' } as const;
      if (dryRun) return { digest, outcome: 'removed' } as const;
      const isGone = await maintenance.removeUnused(repository, digest, { unusedSince: this.#cutOff() });
      return { digest, outcome: isGone ? 'removed' : 'kept' } as const;
    });
    for await (const { digest, outcome } of removals) {
      signal?.throwIfAborted();
      const size = this.#graph.manifests.get(digest)?.descriptor.size ?? this.#sizes.get(digest) ?? 0;
      if (kind === 'blob') this.#sizes.delete(digest);
      if (outcome === 'removed') {
        add(kind === 'manifest' ? report.manifests : report.blobs, size);
        onEvent({ type: 'garbage', repository, kind, digest, size });
      } else if (outcome === 'kept') {
        onEvent({ type: 'kept', repository, kind, digest });
        // With all that it names, which is still there.
        if (kind === 'manifest') await this.#graph.reach([digest]);
      }
    }
  }
}

// Removes the garbage of one repository.
import { isRegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import { isNamed, removalOrderOf, RepositoryGraph } from '../graph/index.ts';
import { addToTally, ageThreshold, mapAhead, removeManifest } from '../shared/index.ts';

import type { Collection } from './collection.ts';
import type { GarbageKind } from './garbage-report.ts';
import { NamedBlobs } from './named-blobs.ts';
import type { NamedBlob } from './named-blobs.ts';

/** The outcome for one manifest or blob. */
interface Outcome {
  digest: Digest;
  /** `reached`: it is in use again. `kept`: the store did not remove it. */
  outcome: 'reached' | 'kept' | 'removed';
  /** The tags that were deleted with a manifest. */
  tags: readonly string[];
  /** The blobs that went with a manifest. */
  blobs?: readonly NamedBlob[];
}

/** An event about content of the repository. */
type OwnEvent =
  | { type: 'garbage'; kind: GarbageKind; digest: Digest; size: number }
  | { type: 'untagged'; tag: string; digest: Digest }
  | { type: 'kept'; kind: GarbageKind; digest: Digest };

/** A client may delete a manifest after it was listed and before it is read. The second attempt does not list it. */
const attempts = 2;

/**
 * Finds what is reachable in one repository. Rejects with NAME_UNKNOWN if it is gone.
 *
 * @returns undefined if it has to be skipped
 */
export async function markRepository(collection: Collection, repository: string): Promise<RepositorySweep | undefined> {
  for (let attempt = 1; ; attempt++) {
    const sweep = new RepositorySweep(collection, repository, await ageToKeep(collection, repository));
    const { unreadable } = await sweep.mark();
    const [first] = unreadable;
    if (first === undefined) return sweep;
    if (attempt < attempts) continue;
    collection.report.skipped++;
    collection.onEvent({ type: 'skipped', repository, ...first });
    return undefined;
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

/** Finds the reachable content of one repository, and removes the rest. */
export class RepositorySweep {
  readonly #collection: Collection;
  readonly #repository: string;
  readonly #threshold: () => Date;
  readonly #graph: RepositoryGraph;
  /** Unreachable content that stays for now. */
  #waiting = 0;
  /** The blobs of the manifests that are being removed. */
  readonly #named = new NamedBlobs();
  /** The sizes of blobs that are being removed. */
  readonly #sizes = new Map<Digest, number>();

  constructor(collection: Collection, repository: string, age: number) {
    const { registry, maintenance, signal, pace } = collection;
    this.#collection = collection;
    this.#repository = repository;
    // Take the time before reading anything: content that changes from now on then counts as used.
    this.#threshold = ageThreshold(age);
    this.#graph = new RepositoryGraph(registry, maintenance, repository, signal, pace);
  }

  /** The number of digests in memory. */
  get size(): number {
    return this.#graph.manifests.size + this.#graph.reached.size;
  }

  /** Finds what is reachable. */
  async mark(): Promise<RepositoryGraph> {
    const { untagged } = this.#collection;
    const graph = this.#graph;
    const unusedSince = this.#threshold().getTime();
    await graph.mark((manifest) => isNamed(manifest) || (untagged === 'keep' && !manifest.isAttached));
    await this.#reachYoung(unusedSince);
    await this.#reachFormer();
    if (this.#collection.dangling === 'keep') await this.#reachDangling();
    return graph;
  }

  /** Keeps manifests that were used within the grace period. */
  async #reachYoung(unusedSince: number): Promise<void> {
    const graph = this.#graph;
    const young: Digest[] = [];
    for (const { descriptor, usedAt } of graph.unreached()) {
      if (usedAt >= unusedSince) young.push(descriptor.digest);
      await graph.giveWay();
    }
    const reached = graph.reached.size;
    await graph.reach(young);
    this.#waiting += graph.reached.size - reached;
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

  /** Keeps manifests whose subject is missing, and those that are attached to missing manifests only. */
  async #reachDangling(): Promise<void> {
    const graph = this.#graph;
    const dangling: Digest[] = [];
    for (const { descriptor } of graph.unreached()) {
      const { digest } = descriptor;
      const links = await graph.linksOf(descriptor);
      const own = typeof links === 'string' ? undefined : links.subject;
      const subjects = own === undefined ? graph.attachments.get(digest)?.subjects : [own];
      if (subjects?.some((subject) => graph.manifests.has(subject)) === false) dangling.push(digest);
      await graph.giveWay();
    }
    await graph.reach(dangling);
  }

  /** Removes the unreachable manifests, each with the blobs that it alone names, then all other unreachable blobs. */
  async sweep(): Promise<void> {
    try {
      await this.#sweep();
    } finally {
      this.#collection.report.waiting += this.#waiting;
    }
  }

  async #sweep(): Promise<void> {
    const order = await removalOrderOf(this.#graph, (digest, links) => {
      if (links === 'corrupt') this.#named.forgetAll();
      else if (links !== 'missing') this.#named.add(digest, links.blobs);
    });
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
        if (graph.reached.has(descriptor.digest)) continue;
        if (usedAt.getTime() >= this.#threshold().getTime()) {
          this.#waiting++;
          continue;
        }
        this.#sizes.set(descriptor.digest, size);
        yield descriptor.digest;
      }
    } catch (error) {
      // The repository went with its last content.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }

  async #remove(kind: GarbageKind, digests: Iterable<Digest> | AsyncIterable<Digest>): Promise<void> {
    const { concurrency } = this.#collection;
    const remove = (digest: Digest): Promise<Outcome> => this.#removeOne(kind, digest);
    for await (const { digest, outcome, tags, blobs = [] } of mapAhead(digests, concurrency, remove)) {
      await this.#graph.giveWay();
      for (const tag of tags) this.#tell({ type: 'untagged', tag, digest });
      const size = this.#graph.manifests.get(digest)?.descriptor.size ?? this.#sizes.get(digest) ?? 0;
      if (kind === 'blob') this.#sizes.delete(digest);
      if (outcome === 'removed') {
        this.#note(kind, digest, size);
        for (const blob of blobs) {
          this.#collection.signal?.throwIfAborted();
          this.#note('blob', blob.digest, blob.size);
        }
      } else if (outcome === 'kept') {
        this.#waiting++;
        this.#tell({ type: 'kept', kind, digest });
        // Keep everything that it names. All of that is still there.
        if (kind === 'manifest') await this.#graph.reach([digest]);
      }
    }
  }

  async #removeOne(kind: GarbageKind, digest: Digest): Promise<Outcome> {
    const { registry, maintenance, dryRun } = this.#collection;
    const repository = this.#repository;
    // It may be reachable again: a client started to use a manifest that names it.
    if (this.#graph.reached.has(digest)) return { digest, outcome: 'reached', tags: [] };
    const attachment = this.#graph.attachments.get(digest);
    if (dryRun) return { digest, outcome: 'removed', tags: attachment?.tags ?? [] };
    const unusedSince = this.#threshold();
    if (kind === 'blob') {
      const isGone = await maintenance.removeUnused(repository, digest, { unusedSince });
      return { digest, outcome: isGone ? 'removed' : 'kept', tags: [] };
    }
    const subjects = attachment?.subjects ?? [];
    const { isGone, tags } = await removeManifest(registry, maintenance, { repository, digest, subjects, unusedSince });
    if (!isGone) return { digest, outcome: 'kept', tags };
    return { digest, outcome: 'removed', tags, blobs: await this.#removeBlobsOf(digest) };
  }

  /** Removes the blobs that a removed manifest named, and nothing else. Those that stay for now are looked at later. */
  async #removeBlobsOf(manifest: Digest): Promise<NamedBlob[]> {
    const { maintenance } = this.#collection;
    const { reached, manifests } = this.#graph;
    const gone: NamedBlob[] = [];
    for (const blob of this.#named.release(manifest)) {
      const { digest } = blob;
      if (reached.has(digest) || manifests.has(digest)) continue;
      const unusedSince = this.#threshold();
      try {
        if (await maintenance.removeUnused(this.#repository, digest, { unusedSince })) gone.push(blob);
      } catch (error) {
        // The repository went with its last content.
        if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
      }
    }
    return gone;
  }

  #note(kind: GarbageKind, digest: Digest, size: number): void {
    const { report } = this.#collection;
    addToTally(kind === 'manifest' ? report.manifests : report.blobs, size);
    this.#tell({ type: 'garbage', kind, digest, size });
  }

  #tell(event: OwnEvent): void {
    this.#collection.onEvent({ repository: this.#repository, ...event });
  }
}

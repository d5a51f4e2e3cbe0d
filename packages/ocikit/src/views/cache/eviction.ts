// Removes the least recently used content when the store of a cache is larger than its limit.
import { maintenanceOf } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';

import type { CacheSettings } from './shared/index.ts';
import { giveWay, later } from './shared/index.ts';

/** Contents that one pass removes at most, the least recently used first. Then the next pass begins. */
const atATime = 1000;
/** The part of the limit down to which content is removed, so that the store is not too large again at once. */
const enough = 0.9;
/** Contents that are looked at before other work gets a turn. */
const slice = 200;
/** Milliseconds before the next try if too little could be removed because all content is in use. */
const retry = 30_000;

interface Candidate {
  kind: 'blob' | 'manifest';
  repository: string;
  digest: Digest;
  tags: readonly string[];
  size: number;
  usedAt: number;
}

/** Keeps a store below its size limit: removes the least recently used content, in the background. */
export class Eviction {
  readonly #store: Registry;
  readonly #maintenance: Maintenance;
  readonly #settings: CacheSettings;
  readonly #maxSize: number;
  /** Bytes that arrived since the store was measured. */
  #grown = 0;
  #measured: number | undefined;
  #running: Promise<void> | undefined;
  #wakeUp: (() => void) | undefined;
  readonly #closing = new AbortController();

  /** @throws TypeError if the store has no Maintenance */
  constructor(store: Registry, settings: CacheSettings, maxSize: number) {
    const maintenance = maintenanceOf(store);
    if (maintenance === undefined) throw new TypeError('maxSize needs a store with Maintenance');
    this.#store = store;
    this.#maintenance = maintenance;
    this.#settings = settings;
    this.#maxSize = maxSize;
    this.#start();
  }

  /** Tells that the store has grown by this many bytes. */
  grew(size: number): void {
    this.#grown += size;
    if (this.#measured === undefined || this.#measured + this.#grown > this.#maxSize) this.#start();
  }

  #start(): void {
    if (this.#running !== undefined || this.#wakeUp !== undefined || this.#hasEnded()) return;
    this.#running = this.#runOnce();
  }

  async #runOnce(): Promise<void> {
    // If the store cannot be listed now, try again later.
    const outcome = await this.#run().catch(() => 'again' as const);
    this.#running = undefined;
    if (outcome === 'enough' || this.#hasEnded()) return;
    this.#wakeUp = later(retry, () => {
      this.#wakeUp = undefined;
      this.#start();
    });
  }

  async #run(): Promise<'enough' | 'again'> {
    for (;;) {
      const { size, homes, leastUsed } = await this.#look();
      let left = size;
      this.#measured = size;
      if (size <= this.#maxSize || this.#hasEnded()) return 'enough';
      let removed = 0;
      for (const candidate of leastUsed) {
        if (left <= this.#maxSize * enough || this.#hasEnded()) return 'enough';
        if (!(await this.#remove(candidate))) continue;
        removed++;
        // Content that another repository has as well still takes its room.
        const others = (homes.get(candidate.digest) ?? 1) - 1;
        homes.set(candidate.digest, others);
        if (others === 0) left -= candidate.size;
        this.#measured = left;
      }
      if (removed === 0) return 'again';
    }
  }

  /** Measures the store, and finds its least recently used content, in that order. */
  async #look(): Promise<{ size: number; homes: Map<Digest, number>; leastUsed: Candidate[] }> {
    const usedBefore = Date.now() - this.#settings.evictAfter;
    const homes = new Map<Digest, number>();
    let leastUsed: Candidate[] = [];
    let [seen, size] = [0, 0];
    this.#grown = 0;
    for await (const candidate of this.#all()) {
      if (++seen % slice === 0) await giveWay();
      if (this.#hasEnded()) break;
      const { digest } = candidate;
      const before = homes.get(digest) ?? 0;
      homes.set(digest, before + 1);
      if (before === 0) size += candidate.size;
      if (candidate.usedAt >= usedBefore) continue;
      leastUsed.push(candidate);
      if (leastUsed.length >= atATime * 2) leastUsed = leastOf(leastUsed);
    }
    return { size, homes, leastUsed: leastOf(leastUsed) };
  }

  async *#all(): AsyncGenerator<Candidate, void, undefined> {
    for await (const repository of this.#store.repositories()) {
      for await (const { descriptor, size, usedAt } of this.#maintenance.blobs(repository)) {
        yield { kind: 'blob', repository, digest: descriptor.digest, tags: [], size, usedAt: usedAt.getTime() };
      }
      for await (const { descriptor, size, usedAt, tags } of this.#maintenance.manifests(repository)) {
        yield { kind: 'manifest', repository, digest: descriptor.digest, tags, size, usedAt: usedAt.getTime() };
      }
    }
  }

  /** Removes the tags first, so that no tag points to missing content. Content that was used meanwhile stays. */
  async #remove({ kind, repository, digest, tags, size, usedAt }: Candidate): Promise<boolean> {
    const unusedSince = new Date(Math.max(usedAt + 1, Date.now() - this.#settings.evictAfter));
    try {
      for (const tag of tags) await this.#store.deleteTag(repository, tag, { ifTag: digest });
      if (!(await this.#maintenance.removeUnused(repository, digest, { unusedSince }))) return false;
    } catch {
      // Another call has moved or removed the tag: the next pass looks at it again.
      return false;
    }
    this.#settings.tell({ type: 'evicted', kind, repository, reference: digest, size });
    return true;
  }

  #hasEnded(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends eviction, and waits for its current step. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wakeUp?.();
    await this.#running;
  }
}

function leastOf(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted((a, b) => a.usedAt - b.usedAt).slice(0, atATime);
}

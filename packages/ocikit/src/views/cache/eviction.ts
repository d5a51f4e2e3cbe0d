import { maintenanceOf } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';

import type { CacheSettings } from './options.ts';
import { giveWay, later } from './timers.ts';

/** Contents that one look finds, the least used ones; then it looks again. */
const atATime = 1000;
/** How full the store is when enough has been removed: not at once too full again. */
const enough = 0.9;
/** Contents that are looked at before others have their turn. */
const slice = 200;
/** Milliseconds before it is tried again if too little could be removed, as all of it is in use. */
const retry = 30_000;

interface Candidate {
  kind: 'blob' | 'manifest';
  repository: string;
  digest: Digest;
  tags: readonly string[];
  size: number;
  usedAt: number;
}

/** Keeps a store from growing beyond its size: what was used longest ago goes, in the background. */
export class Eviction {
  readonly #store: Registry;
  readonly #maintenance: Maintenance;
  readonly #settings: CacheSettings;
  readonly #maxSize: number;
  /** Bytes that came since the store was measured. */
  #grown = 0;
  #measured: number | undefined;
  #running: Promise<void> | undefined;
  #wakeUp: (() => void) | undefined;
  #isClosed = false;

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

  /** The store has so many bytes more. */
  grew(size: number): void {
    this.#grown += size;
    if (this.#measured === undefined || this.#measured + this.#grown > this.#maxSize) this.#start();
  }

  #start(): void {
    if (this.#running !== undefined || this.#wakeUp !== undefined || this.#isClosed) return;
    this.#running = this.#runOnce();
  }

  async #runOnce(): Promise<void> {
    // A store that cannot be looked through now can be later.
    const outcome = await this.#run().catch(() => 'again' as const);
    this.#running = undefined;
    if (outcome === 'enough' || this.#isClosed) return;
    this.#wakeUp = later(retry, () => {
      this.#wakeUp = undefined;
      this.#start();
    });
  }

  async #run(): Promise<'enough' | 'again'> {
    for (;;) {
      const before = await this.#measure();
      if (before <= this.#maxSize) return 'enough';
      let left = before - this.#maxSize * enough;
      const candidates = await this.#leastUsed();
      let removed = 0;
      for (const candidate of candidates) {
        if (left <= 0 || this.#isClosed) break;
        if (!(await this.#remove(candidate))) continue;
        removed++;
        left -= candidate.size;
      }
      if (this.#isClosed) return 'enough';
      if (removed === 0) return 'again';
    }
  }

  async #measure(): Promise<number> {
    this.#grown = 0;
    this.#measured = (await this.#maintenance.usage()).size;
    return this.#measured;
  }

  /** Those that were used longest ago, in that order. */
  async #leastUsed(): Promise<Candidate[]> {
    const usedBefore = Date.now() - this.#settings.evictAfter;
    let found: Candidate[] = [];
    let seen = 0;
    for await (const candidate of this.#all()) {
      if (++seen % slice === 0) await giveWay();
      if (this.#isClosed) return [];
      if (candidate.usedAt >= usedBefore) continue;
      found.push(candidate);
      if (found.length >= atATime * 2) found = leastOf(found);
    }
    return leastOf(found);
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

  /** Its tags first: without them nobody can be told of it. Nothing goes that was used since it was looked at. */
  async #remove({ kind, repository, digest, tags, size, usedAt }: Candidate): Promise<boolean> {
    const unusedSince = new Date(Math.max(usedAt + 1, Date.now() - this.#settings.evictAfter));
    try {
      for (const tag of tags) await this.#store.deleteTag(repository, tag, { ifTag: digest });
      if (!(await this.#maintenance.removeUnused(repository, digest, { unusedSince }))) return false;
    } catch {
      // Somebody else has moved the tag, or removed it: it is looked at again in the next round.
      return false;
    }
    this.#settings.tell({ type: 'evicted', kind, repository, reference: digest, size });
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wakeUp?.();
    await this.#running;
  }
}

function leastOf(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted((a, b) => a.usedAt - b.usedAt).slice(0, atATime);
}

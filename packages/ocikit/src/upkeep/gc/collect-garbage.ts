import { isRegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { add, cutOffBefore, maintained, mapAhead, remembered } from '../shared/index.ts';

import type { Collection } from './collection.ts';
import { emptyReport } from './garbage-report.ts';
import type { GarbageEvent, GarbageReport } from './garbage-report.ts';
import { openUploads } from './open-uploads.ts';
import { sweepRepository } from './sweep-repository.ts';

export interface CollectGarbageOptions {
  /** Milliseconds for which what was pushed, read or asked for stays, reached or not. Default: one hour. */
  gracePeriod?: number | undefined;
  /**
   * What becomes of manifests that no tag and no index reaches: `keep` leaves them, with all that they name, to whoever
   * pulls by digest, or to retention. Default: `remove`.
   */
  untagged?: 'remove' | 'keep' | undefined;
  /**
   * What becomes of untagged manifests whose subject the repository does not have: it never came, or it was deleted.
   * Default: `remove`.
   */
  dangling?: 'remove' | 'keep' | undefined;
  /**
   * Milliseconds for which manifests stay, with all that they reach, that a tag was at, so that its moves can be undone. It takes a
   * registry with a history: UNSUPPORTED else. Default: 0.
   */
  keepHistory?: number | undefined;
  /** Say what would go, and remove nothing. Default: false. */
  dryRun?: boolean | undefined;
  /** Removals at a time: a directory makes those durable together. Default: 64. */
  concurrency?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called synchronously; what it throws ends the collection. */
  onEvent?: ((event: GarbageEvent) => void) | undefined;
}

/** An hour, as a push may take that long between its blobs and the manifest that names them. */
const defaultGracePeriod = 60 * 60 * 1000;

/**
 * Removes what no tag reaches: by way of indexes, manifests, subjects (a tagged signature keeps what it signs) and
 * referrers (what is tagged keeps its signatures). Works beside pushes: what was used within the grace period stays,
 * with all that it names. So does what somebody begins to use meanwhile, what is leased, and what is no older than an
 * upload to the same repository that has had bytes within the grace period.
 *
 * Others have their turn every few milliseconds. Memory grows with the digests of one repository, the largest.
 * Ended at any moment, it leaves a whole registry, and the next one goes on.
 *
 * Rejects with UNSUPPORTED if the registry cannot be maintained, and with what its methods reject with.
 *
 * @example
 * const { blobs } = await collectGarbage(registry, { gracePeriod: 24 * 60 * 60 * 1000 });
 */
export async function collectGarbage(registry: Registry, options: CollectGarbageOptions = {}): Promise<GarbageReport> {
  const { gracePeriod = defaultGracePeriod, untagged = 'remove', dangling = 'remove', dryRun = false } = options;
  const { concurrency = 64, keepHistory = 0, signal, onEvent = () => undefined } = options;
  if (!(gracePeriod >= 0)) throw new TypeError(`gracePeriod is ${gracePeriod}, and has to be 0 or more`);
  if (!(concurrency >= 1)) throw new TypeError(`concurrency is ${concurrency}, and has to be 1 or more`);
  if (!(keepHistory >= 0)) throw new TypeError(`keepHistory is ${keepHistory}, and has to be 0 or more`);
  signal?.throwIfAborted();
  const maintenance = maintained(registry);
  const report = emptyReport(dryRun);
  const kept = keepHistory === 0 ? undefined : { time: keepHistory, history: remembered(registry) };
  const settled = { registry, kept, maintenance, gracePeriod, untagged, dangling, dryRun, concurrency, signal, report };
  const collection: Collection = { ...settled, onEvent, uploads: await openUploads(maintenance, gracePeriod, signal) };
  for await (const repository of registry.repositories({ signal })) {
    onEvent({ type: 'repository', repository });
    report.repositories++;
    try {
      await sweepRepository(collection, repository);
    } catch (error) {
      // It is gone by now.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }
  await sweepOrphans(collection);
  return report;
}

async function sweepOrphans(collection: Collection): Promise<void> {
  const { maintenance, gracePeriod, dryRun, concurrency, signal, report, onEvent } = collection;
  const cutOff = cutOffBefore(gracePeriod);
  const removals = mapAhead(maintenance.orphans({ signal }), concurrency, async ({ digest, size, usedAt }) => {
    const unusedSince = cutOff();
    if (usedAt.getTime() >= unusedSince.getTime()) return undefined;
    const isGone = dryRun || (await maintenance.removeOrphan(digest, { unusedSince }));
    return isGone ? { digest, size } : undefined;
  });
  for await (const gone of removals) {
    signal?.throwIfAborted();
    if (gone === undefined) continue;
    add(report.orphans, gone.size);
    onEvent({ type: 'garbage', repository: undefined, kind: 'orphan', ...gone });
  }
}

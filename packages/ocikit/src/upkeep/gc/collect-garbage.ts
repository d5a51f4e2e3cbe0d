// Garbage collection: removes the content that no tag reaches.
import type { Registry } from '../../model/index.ts';

import {
  addToTally,
  ageThreshold,
  assertAtLeast,
  Failures,
  mapAhead,
  Pace,
  requireHistory,
  requireMaintenance,
} from '../shared/index.ts';

import type { Collection } from './collection.ts';
import { emptyReport } from './garbage-report.ts';
import type { GarbageEvent, GarbageReport } from './garbage-report.ts';
import { openUploads } from './open-uploads.ts';
import { Progress } from './progress.ts';
import { sweepRepositories } from './sweep-repositories.ts';

/** Options of {@link collectGarbage}. */
export interface CollectGarbageOptions {
  /** Milliseconds. Content that was pushed or read within this time stays. Default: 3,600,000 (one hour). */
  gracePeriod?: number | undefined;
  /**
   * Whether manifests go that no tag and no index reaches. `keep` leaves them, with all that they name, for clients
   * that pull by digest, or for retention. Default: `remove`.
   */
  untagged?: 'remove' | 'keep' | undefined;
  /**
   * Whether untagged manifests go whose subject is missing in the repository: it was never pushed, or it was deleted.
   * Applies also to tags such as `sha256-<hex>.sig` whose manifest is missing.
   * Default: `remove`.
   */
  dangling?: 'remove' | 'keep' | undefined;
  /**
   * Milliseconds. A manifest that a tag left within this time stays, with all that it reaches, so that the move can be
   * undone. Needs a registry with a history, else UNSUPPORTED. Default: 0.
   */
  keepHistory?: number | undefined;
  /**
   * Report what would go, and remove nothing. A directory that another process may write to, or that must not be
   * touched at all, has to be opened with `readOnly` for that: then the run takes no lock and writes no file. It cannot
   * see the last uses that the writing process has in memory, so it may list content that stays. Default: false.
   */
  dryRun?: boolean | undefined;
  /** How many removals run at a time. A store on disk syncs these together. Default: 64. */
  concurrency?: number | undefined;
  /** Ends the collection. */
  signal?: AbortSignal | undefined;
  /** Called synchronously at each step. An error that it throws ends the collection. */
  onEvent?: ((event: GarbageEvent) => void) | undefined;
}

/** One hour: a push may take that long between its first blob and the manifest that names the blob. */
const defaultGracePeriod = 60 * 60 * 1000;

/**
 * Removes the content that no tag reaches. A tag reaches content through indexes, manifests, subjects (a tagged
 * signature keeps the image that it signs) and referrers (a tagged image keeps its signatures).
 *
 * A tag that attaches content to a manifest by its digest (`sha256-<hex>`, with `.sig`, `.att` or `.sbom` after it or
 * not) reaches nothing by itself. It stays as long as that manifest is reachable, and is deleted after it. In a
 * repository without other tags, it also stays as long as another repository has the manifest.
 *
 * Clients may push and pull meanwhile. This content stays, with all that it names:
 *
 * - content that was used within the grace period, or that a client starts to use during the collection
 * - leased content
 * - content that was used since the oldest open upload to its repository began. An upload is open if it got bytes
 *   within the grace period
 *
 * The collection lets other tasks run every few milliseconds, and takes about a fifth of the time while they have much
 * to do. Memory grows with the digests of the largest repository.
 * A collection may end at any moment, also with its process: the registry stays intact, and what is removed by then
 * stays removed. The next collection begins with the repositories that this one did not come to, if the store keeps
 * that place (`Maintenance.bookmark`), as directories do.
 *
 * A repository that cannot be read or written is reported by an event, and the collection continues with the others.
 *
 * Rejects with UNSUPPORTED if the registry has no `Maintenance`, with TypeError if a number is below its least value,
 * and with any error of the registry when repositories are listed.
 *
 * @example
 * const { blobs } = await collectGarbage(registry, { gracePeriod: 24 * 60 * 60 * 1000 });
 */
export async function collectGarbage(registry: Registry, options: CollectGarbageOptions = {}): Promise<GarbageReport> {
  const { gracePeriod = defaultGracePeriod, untagged = 'remove', dangling = 'remove', dryRun = false } = options;
  const { concurrency = 64, keepHistory = 0, signal, onEvent = () => undefined } = options;
  assertAtLeast('gracePeriod', gracePeriod, 0);
  assertAtLeast('concurrency', concurrency, 1);
  assertAtLeast('keepHistory', keepHistory, 0);
  signal?.throwIfAborted();
  const maintenance = requireMaintenance(registry);
  const report = emptyReport(dryRun);
  const keptHistory = keepHistory === 0 ? undefined : { time: keepHistory, history: requireHistory(registry) };
  const uploads = await openUploads(maintenance, gracePeriod, signal);
  const failures = new Failures(signal, onEvent);
  const settings = { gracePeriod, untagged, dangling, dryRun, concurrency, signal, onEvent: failures.tell };
  const fail = (repository: string | undefined, error: unknown): void => {
    const reason = failures.reasonOf(error);
    report.skipped++;
    failures.tell({ type: 'failed', repository, reason });
  };
  const pace = new Pace();
  const progress = await Progress.of(maintenance, dryRun);
  const state = { registry, maintenance, keptHistory, uploads, report, pace, progress, fail };
  const collection: Collection = { ...state, ...settings };
  if (progress.isAtOrphans) {
    // If this one is killed here as well, the next one begins with the repositories.
    await progress.enter('repositories');
    await sweepOrphansOrFail(collection);
    await sweepRepositories(collection);
  } else {
    await sweepRepositories(collection);
    await progress.enter('orphans');
    await sweepOrphansOrFail(collection);
  }
  await progress.finish();
  return report;
}

async function sweepOrphansOrFail(collection: Collection): Promise<void> {
  try {
    await sweepOrphans(collection);
  } catch (error) {
    collection.fail(undefined, error);
  }
}

async function sweepOrphans(collection: Collection): Promise<void> {
  const { maintenance, gracePeriod, dryRun, concurrency, signal, report, onEvent } = collection;
  const threshold = ageThreshold(gracePeriod);
  const removals = mapAhead(maintenance.orphans({ signal }), concurrency, async ({ digest, size, usedAt }) => {
    const unusedSince = threshold();
    if (usedAt.getTime() >= unusedSince.getTime()) return undefined;
    const isGone = dryRun || (await maintenance.removeOrphan(digest, { unusedSince }));
    return isGone ? { digest, size } : undefined;
  });
  for await (const gone of removals) {
    signal?.throwIfAborted();
    if (gone === undefined) continue;
    addToTally(report.orphans, gone.size);
    onEvent({ type: 'garbage', repository: undefined, kind: 'orphan', ...gone });
  }
}

// The events and the report of a garbage collection.
import type { Digest } from '../../model/index.ts';

import { emptyTally } from '../shared/index.ts';
import type { Tally } from '../shared/index.ts';

/**
 * A step of a garbage collection.
 *
 * | type | meaning |
 * |---|---|
 * | repository | the collection starts with this repository |
 * | garbage | this content was removed; in a dry run, it would be. `repository` is undefined for orphans |
 * | untagged | this tag was deleted; in a dry run, it would be: the manifest that it is attached to is gone |
 * | kept | this content was not removed: a client started to use it, or it is leased |
 * | skipped | nothing is removed from this repository: a reachable manifest cannot be read, and may name any content |
 * | failed | this repository could not be collected, and the collection continues; undefined: the orphans |
 */
export type GarbageEvent =
  | { type: 'repository'; repository: string }
  | { type: 'garbage'; repository: string | undefined; kind: GarbageKind; digest: Digest; size: number }
  | { type: 'untagged'; repository: string; tag: string; digest: Digest }
  | { type: 'kept'; repository: string; kind: GarbageKind; digest: Digest }
  | { type: 'skipped'; repository: string; digest: Digest; state: 'missing' | 'corrupt' }
  | { type: 'failed'; repository: string | undefined; reason: string };

/** A kind of garbage. An `orphan` is content that no repository has. */
export type GarbageKind = 'manifest' | 'blob' | 'orphan';

/** The outcome of a garbage collection. It is plain data, and can be stored as JSON. */
export interface GarbageReport {
  /** True if nothing was removed: the other fields say what would be. */
  dryRun: boolean;
  /** How many repositories were examined. */
  repositories: number;
  /** How many of them were skipped or failed: see {@link GarbageEvent}. */
  skipped: number;
  /**
   * How many manifests and blobs no tag reaches but stay for now: they are within the grace period, or in use. A later
   * collection removes them.
   */
  waiting: number;
  /** Removed manifests. A manifest of several repositories is counted once for each. */
  manifests: Tally;
  /** Removed blobs. A blob of several repositories is counted once for each. */
  blobs: Tally;
  /** Removed content that no repository had. */
  orphans: Tally;
}

/** The report of a collection that has not started. */
export function emptyReport(dryRun: boolean): GarbageReport {
  return {
    dryRun,
    repositories: 0,
    skipped: 0,
    waiting: 0,
    manifests: emptyTally(),
    blobs: emptyTally(),
    orphans: emptyTally(),
  };
}

import type { Digest } from '../../model/index.ts';

import { noTally } from '../shared/index.ts';
import type { Tally } from '../shared/index.ts';

/**
 * | type | meaning |
 * |---|---|
 * | repository | it is looked into now |
 * | garbage | it was removed; in a dry run, it would be. `repository` is undefined for what no repository has |
 * | kept | it could not be removed: somebody has begun to use it, or holds a lease |
 * | skipped | nothing of this repository is removed, as a manifest that is reached cannot be read: it may name anything |
 */
export type GarbageEvent =
  | { type: 'repository'; repository: string }
  | { type: 'garbage'; repository: string | undefined; kind: GarbageKind; digest: Digest; size: number }
  | { type: 'kept'; repository: string; kind: GarbageKind; digest: Digest }
  | { type: 'skipped'; repository: string; digest: Digest; state: 'missing' | 'corrupt' };

export type GarbageKind = 'manifest' | 'blob' | 'orphan';

/** What a collection has done, in a form that stays. */
export interface GarbageReport {
  dryRun: boolean;
  /** Those that were looked into. */
  repositories: number;
  /** Those of them in which nothing could be removed: see {@link GarbageEvent}. */
  skipped: number;
  /** What was removed, or would be; content that several repositories had is counted once for each. */
  manifests: Tally;
  blobs: Tally;
  /** Of what no repository had. */
  orphans: Tally;
}

export function emptyReport(dryRun: boolean): GarbageReport {
  return { dryRun, repositories: 0, skipped: 0, manifests: noTally(), blobs: noTally(), orphans: noTally() };
}

import type { History, Maintenance, Registry } from '../../model/index.ts';

import type { GarbageEvent, GarbageReport } from './garbage-report.ts';
import type { OpenUploads } from './open-uploads.ts';

/** What one collection has settled. */
export interface Collection {
  registry: Registry;
  /** Milliseconds, and the moves of that time; undefined if nobody wants to go back. */
  kept: { time: number; history: History } | undefined;
  maintenance: Maintenance;
  gracePeriod: number;
  untagged: 'remove' | 'keep';
  dangling: 'remove' | 'keep';
  dryRun: boolean;
  concurrency: number;
  signal: AbortSignal | undefined;
  uploads: OpenUploads;
  report: GarbageReport;
  onEvent: (event: GarbageEvent) => void;
}

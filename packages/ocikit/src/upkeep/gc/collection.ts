// The settings and the progress of one garbage collection, for all its steps.
import type { History, Maintenance, Registry } from '../../model/index.ts';

import type { Pace } from '../shared/index.ts';

import type { GarbageEvent, GarbageReport } from './garbage-report.ts';
import type { OpenUploads } from './open-uploads.ts';
import type { Progress } from './progress.ts';

/** One garbage collection. */
export interface Collection {
  /** The registry that is collected. */
  registry: Registry;
  /** The registry's maintenance. */
  maintenance: Maintenance;
  /** Former targets of tags stay for `time` milliseconds, so that moves can be undone. Undefined: they do not stay. */
  keptHistory: { time: number; history: History } | undefined;
  /** Milliseconds for which used content stays. */
  gracePeriod: number;
  /** Whether untagged manifests go. */
  untagged: 'remove' | 'keep';
  /** Whether untagged manifests go if their subject is missing. */
  dangling: 'remove' | 'keep';
  /** Report only, and remove nothing. */
  dryRun: boolean;
  /** How many removals run at a time. */
  concurrency: number;
  /** Ends the collection. */
  signal: AbortSignal | undefined;
  /** The uploads that were open at the start. */
  uploads: OpenUploads;
  /** The pace of all steps together. */
  pace: Pace;
  /** The place of the collection among the repositories. */
  progress: Progress;
  /** The report so far. */
  report: GarbageReport;
  /**
   * Reports that a repository failed, and lets the collection continue; undefined: the orphans failed.
   *
   * @throws the error if it must end the collection
   */
  fail: (repository: string | undefined, error: unknown) => void;
  /** Is told of each step. */
  onEvent: (event: GarbageEvent) => void;
}

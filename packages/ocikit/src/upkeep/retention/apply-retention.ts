// Retention: deletes the tags and removes the untagged manifests that the rules do not keep.
import { isRegistryError } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';

import { addToTally, emptyTally, removeManifest, requireMaintenance } from '../shared/index.ts';
import type { Tally } from '../shared/index.ts';

import { planRetention } from './plan-retention.ts';
import type { RetentionStep } from './plan-retention.ts';
import { RepositoryFailures } from './repository-failures.ts';
import type { RetentionFailure } from './repository-failures.ts';
import type { RetentionRules } from './retention-rules.ts';

/** Options of {@link applyRetention} and {@link carryOutRetention}. */
export interface ApplyRetentionOptions {
  /** Report the steps of the plan, and carry out none. Default: false. */
  dryRun?: boolean | undefined;
  /** Ends the run. */
  signal?: AbortSignal | undefined;
  /** Called synchronously after each step. An error that it throws ends the run. */
  onEvent?: ((event: RetentionEvent) => void) | undefined;
  /** Called with a message for each rule that names tags to which no rule applies: see {@link TagRule}. */
  onWarning?: ((message: string) => void) | undefined;
  /**
   * Called for each repository that cannot be read or changed. Without it, the run rejects with the first such error,
   * after all other repositories.
   */
  onFailure?: ((failure: RetentionFailure) => void) | undefined;
}

/** The outcome of one step of a plan. */
export interface RetentionEvent {
  /** The step of the plan. */
  step: RetentionStep;
  /**
   * | outcome | meaning |
   * |---|---|
   * | done | the tag was deleted, or the manifest removed; in a dry run, it would be |
   * | kept | the tag has moved, the manifest is in use, or a manifest that names it stays |
   * | gone | another client deleted the tag first |
   */
  outcome: 'done' | 'kept' | 'gone';
}

/** The outcome of a retention run. It is plain data, and can be stored as JSON. */
export interface RetentionReport {
  /** True if nothing was changed: the other fields say what would be. */
  dryRun: boolean;
  /** How many tags were deleted, or would be. */
  tags: number;
  /** Untagged manifests that were removed, or would be. */
  manifests: Tally;
  /** How many tags and manifests of the plan stay: see {@link RetentionEvent}. */
  kept: number;
}

/**
 * Deletes the tags and removes the untagged manifests that the rules do not keep.
 *
 * Each repository's plan is complete before its first step is carried out. A tag that moves meanwhile stays. A manifest
 * that a client uses meanwhile stays too, with all that it names. Content that no tag reaches any more is left to
 * {@link collectGarbage}.
 *
 * Rejects like {@link planRetention}, and with UNSUPPORTED if tags are immutable.
 *
 * @example
 * const day = 24 * 60 * 60 * 1000;
 * await applyRetention(registry, {
 *   tags: [{ repositories: ['team/**'], keep: { last: 10, usedWithin: 30 * day, tags: ['v*', 'latest'] } }],
 *   untagged: [{ keepUsedWithin: 7 * day }],
 * });
 */
export async function applyRetention(
  registry: Registry,
  rules: RetentionRules,
  options: ApplyRetentionOptions = {},
): Promise<RetentionReport> {
  return carryOutRetention(registry, planRetention(registry, rules, options), options);
}

/**
 * Carries out a plan of {@link planRetention}, which may have been made earlier. Rejects like {@link applyRetention}.
 */
export async function carryOutRetention(
  registry: Registry,
  plan: AsyncIterable<RetentionStep> | Iterable<RetentionStep>,
  { dryRun = false, signal, onEvent = () => undefined, onFailure }: ApplyRetentionOptions = {},
): Promise<RetentionReport> {
  const report: RetentionReport = { dryRun, tags: 0, manifests: emptyTally(), kept: 0 };
  const failures = new RepositoryFailures(signal, onFailure);
  for await (const steps of byRepository(plan)) {
    /** Manifests of this repository that stay: the manifests that they name must stay too. */
    const stays = new Set<Digest>();
    for (const step of steps) {
      signal?.throwIfAborted();
      let outcome: RetentionEvent['outcome'];
      try {
        outcome = dryRun ? 'done' : await carryOut(registry, step, stays);
      } catch (error) {
        failures.add(step.repository, error);
        break;
      }
      onEvent({ step, outcome });
      if (outcome === 'kept') report.kept++;
      if (outcome !== 'done') continue;
      if (step.type === 'tag') report.tags++;
      else addToTally(report.manifests, step.size);
    }
  }
  failures.finish();
  return report;
}

/** Collects all steps of a repository before the first is carried out, so that its plan shows one moment. */
async function* byRepository(
  plan: AsyncIterable<RetentionStep> | Iterable<RetentionStep>,
): AsyncGenerator<RetentionStep[], void, undefined> {
  let steps: RetentionStep[] = [];
  for await (const step of plan) {
    const [first] = steps;
    if (first !== undefined && first.repository !== step.repository) {
      yield steps;
      steps = [];
    }
    steps.push(step);
  }
  if (steps.length > 0) yield steps;
}

async function carryOut(
  registry: Registry,
  step: RetentionStep,
  stays: Set<Digest>,
): Promise<RetentionEvent['outcome']> {
  const { repository, digest } = step;
  if (step.type === 'tag') return deleteTag(registry, step);
  const mayGo = !step.after.some((other) => stays.has(other));
  const unusedSince = new Date(step.unusedSince);
  if (mayGo) {
    const removal = { repository, digest, subjects: step.subjects ?? [], unusedSince };
    const { isGone } = await removeManifest(registry, requireMaintenance(registry), removal);
    if (isGone) return 'done';
  }
  stays.add(digest);
  return 'kept';
}

async function deleteTag(
  registry: Registry,
  { repository, tag, digest }: RetentionStep & { type: 'tag' },
): Promise<RetentionEvent['outcome']> {
  try {
    await registry.deleteTag(repository, tag, { ifTag: digest });
    return 'done';
  } catch (error) {
    if (isRegistryError(error, 'PRECONDITION_FAILED')) return 'kept';
    if (isRegistryError(error, 'MANIFEST_UNKNOWN') || isRegistryError(error, 'NAME_UNKNOWN')) return 'gone';
    throw error;
  }
}

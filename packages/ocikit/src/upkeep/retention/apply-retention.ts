import { isRegistryError } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';

import { add, maintained, noTally } from '../shared/index.ts';
import type { Tally } from '../shared/index.ts';

import { planRetention } from './plan-retention.ts';
import type { RetentionStep } from './plan-retention.ts';
import type { RetentionRules } from './retention-rules.ts';

export interface ApplyRetentionOptions {
  /** Make the plan, and do nothing of it. Default: false. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called synchronously; what it throws ends it. */
  onEvent?: ((event: RetentionEvent) => void) | undefined;
}

/**
 * What became of a step: `done` (in a dry run, it would be); `kept`, as the tag has moved, the manifest is in use, or what names it
 * stays; `gone`, as somebody else was first.
 */
export interface RetentionEvent {
  step: RetentionStep;
  outcome: 'done' | 'kept' | 'gone';
}

/** What was done, in a form that stays. */
export interface RetentionReport {
  dryRun: boolean;
  /** Tags that were deleted, or would be. */
  tags: number;
  /** Untagged manifests that were removed, or would be. */
  manifests: Tally;
  /** Tags and manifests that stay though they were to go: see {@link RetentionEvent}. */
  kept: number;
}

/**
 * Deletes the tags and removes the untagged manifests that the rules do not keep. The plan for a repository is made first
 * and then carried out: a tag that moves meanwhile stays, and so does a manifest that is used, with what it names. What is no longer
 * reached stays until {@link collectGarbage} comes.
 *
 * Rejects as {@link planRetention}; with UNSUPPORTED where tags are immutable.
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
  return carryOutRetention(registry, planRetention(registry, rules, { signal: options.signal }), options);
}

/** Does what a plan says: one of {@link planRetention}, perhaps made earlier. */
export async function carryOutRetention(
  registry: Registry,
  plan: AsyncIterable<RetentionStep> | Iterable<RetentionStep>,
  { dryRun = false, signal, onEvent = () => undefined }: ApplyRetentionOptions = {},
): Promise<RetentionReport> {
  const report: RetentionReport = { dryRun, tags: 0, manifests: noTally(), kept: 0 };
  for await (const steps of byRepository(plan)) {
    /** What something in the repository may still name. */
    const kept = new Set<Digest>();
    for (const step of steps) {
      signal?.throwIfAborted();
      const outcome = dryRun ? 'done' : await carryOut(registry, step, kept);
      onEvent({ step, outcome });
      if (outcome === 'kept') report.kept++;
      if (outcome !== 'done') continue;
      if (step.type === 'tag') report.tags++;
      else add(report.manifests, step.size);
    }
  }
  return report;
}

/** All steps of a repository before any of them is taken: its plan is of one moment. */
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
  kept: Set<Digest>,
): Promise<RetentionEvent['outcome']> {
  const { repository, digest } = step;
  if (step.type === 'tag') return deleteTag(registry, step);
  const mayGo = !step.after.some((other) => kept.has(other));
  const unusedSince = new Date(step.unusedSince);
  if (mayGo && (await maintained(registry).removeUnused(repository, digest, { unusedSince }))) return 'done';
  kept.add(digest);
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

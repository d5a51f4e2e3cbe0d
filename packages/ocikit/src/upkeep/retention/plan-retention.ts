// Plans retention: which tags and untagged manifests have to go by the rules.
import { isRegistryError } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';

import { isNamed, removalOrderOf, RepositoryGraph } from '../graph/index.ts';
import { ageThreshold, requireMaintenance, subjectOfTag } from '../shared/index.ts';

import { RepositoryFailures } from './repository-failures.ts';
import type { RetentionFailure } from './repository-failures.ts';
import { parseRules, warningsFor } from './retention-rules.ts';
import type { ParsedTagRule, ParsedUntaggedRule, RetentionRules } from './retention-rules.ts';

/** A tag or a manifest that has to go. It is plain data: it can be shown, stored as JSON, and carried out later. */
export type RetentionStep =
  | {
      type: 'tag';
      repository: string;
      tag: string;
      /** The tag's digest. The tag is deleted only while it has this digest. */
      digest: Digest;
      /** The index of the rule that applies, in {@link RetentionRules.tags}. */
      rule: number;
      /** When the manifest was stored; RFC 3339. */
      createdAt: string;
      /** When the manifest was last used; RFC 3339. */
      usedAt: string;
    }
  | {
      type: 'manifest';
      repository: string;
      digest: Digest;
      /** The manifest's bytes. */
      size: number;
      /** The index of the rule that applies, in {@link RetentionRules.untagged}. */
      rule: number;
      /** The manifest is removed only if no client has used it since this time; RFC 3339. */
      unusedSince: string;
      /** The manifests that name it, and its subject. It is removed only after all of these. */
      after: readonly Digest[];
      /**
       * Set if it has tags, which all attach it to other manifests: these manifests' digests. The tags are deleted with
       * it, and only if none of these manifests is there any more.
       */
      subjects?: readonly Digest[] | undefined;
    };

/** Options of {@link planRetention}. */
export interface PlanRetentionOptions {
  /** Ends the planning. */
  signal?: AbortSignal | undefined;
  /** Called with a message for each rule that names tags to which no rule applies: see {@link TagRule}. */
  onWarning?: ((message: string) => void) | undefined;
  /**
   * Called for each repository that cannot be read. Without it, the run rejects with the first such error, after all
   * other repositories.
   */
  onFailure?: ((failure: RetentionFailure) => void) | undefined;
}

/**
 * Yields the tags and untagged manifests that have to go by the rules. Changes nothing, and does not count as a use
 * of the content.
 *
 * Steps come repository by repository: first tags, then untagged manifests in an order in which they can be removed. A
 * manifest that loses its last tag by this plan is not a step of the same plan.
 *
 * Rejects with UNSUPPORTED if the registry has no `Maintenance`, and with TypeError, before anything is read, if a
 * rule is malformed.
 *
 * @example
 * const rules = { tags: [{ tags: ['pr-*'], keep: { usedWithin: 14 * 24 * 60 * 60 * 1000 } }] };
 * for await (const step of planRetention(registry, rules)) show(step);
 */
export async function* planRetention(
  registry: Registry,
  rules: RetentionRules,
  { signal, onWarning, onFailure }: PlanRetentionOptions = {},
): AsyncGenerator<RetentionStep, void, undefined> {
  const { tags, untagged } = parseRules(rules);
  requireMaintenance(registry);
  for (const message of warningsFor(rules)) onWarning?.(message);
  const failures = new RepositoryFailures(signal, onFailure);
  for await (const repository of registry.repositories({ signal })) {
    try {
      const tagRules = tags.filter((rule) => rule.appliesTo(repository));
      if (tagRules.length > 0) yield* planTags(registry, repository, tagRules, signal);
      const rule = untagged.find(({ appliesTo }) => appliesTo(repository));
      if (rule !== undefined) yield* planUntagged(registry, repository, rule, signal);
    } catch (error) {
      // The repository is gone.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) failures.add(repository, error);
    }
  }
  failures.finish();
}

interface TagTimes {
  tag: string;
  digest: Digest;
  createdAt: number;
  usedAt: number;
}

async function* planTags(
  registry: Registry,
  repository: string,
  rules: readonly ParsedTagRule[],
  signal: AbortSignal | undefined,
): AsyncGenerator<RetentionStep, void, undefined> {
  const now = Date.now();
  const found = new Map<ParsedTagRule, TagTimes[]>(rules.map((rule) => [rule, []]));
  for await (const { descriptor, tags, createdAt, usedAt } of requireMaintenance(registry).manifests(repository, {
    signal,
  })) {
    const times = { digest: descriptor.digest, createdAt: createdAt.getTime(), usedAt: usedAt.getTime() };
    for (const tag of tags) {
      if (subjectOfTag(tag) !== undefined) continue;
      const rule = rules.find(({ appliesToTag }) => appliesToTag(tag));
      if (rule !== undefined) found.get(rule)?.push({ tag, ...times });
    }
  }
  for (const [rule, tags] of found) {
    const newest = tags.toSorted((a, b) => b.createdAt - a.createdAt || (a.tag < b.tag ? 1 : -1));
    for (const { tag, digest, createdAt, usedAt } of newest.slice(rule.last)) {
      if (rule.keepsTag(tag) || usedAt > now - rule.usedWithin || createdAt > now - rule.createdWithin) continue;
      const times = { createdAt: new Date(createdAt).toISOString(), usedAt: new Date(usedAt).toISOString() };
      yield { type: 'tag', repository, tag, digest, rule: rule.number, ...times };
    }
  }
}

async function* planUntagged(
  registry: Registry,
  repository: string,
  { number, keepUsedWithin }: ParsedUntaggedRule,
  signal: AbortSignal | undefined,
): AsyncGenerator<RetentionStep, void, undefined> {
  const unusedSince = ageThreshold(keepUsedWithin)();
  const graph = new RepositoryGraph(registry, requireMaintenance(registry), repository, signal);
  await graph.mark((manifest) => isNamed(manifest) || manifest.usedAt.getTime() >= unusedSince.getTime());
  // A manifest that cannot be read may name any other: plan nothing.
  if (graph.unreadable.length > 0) return;
  const order = await removalOrderOf(graph);
  for (const wave of order.waves()) {
    for (const digest of wave) {
      const size = graph.manifests.get(digest)?.descriptor.size ?? 0;
      const step = { repository, digest, size, rule: number, unusedSince: unusedSince.toISOString() };
      const subjects = graph.attachments.get(digest)?.subjects;
      const attached = subjects === undefined ? {} : { subjects };
      yield { type: 'manifest', ...step, after: order.before(digest), ...attached };
    }
  }
}

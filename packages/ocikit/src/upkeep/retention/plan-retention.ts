import { isRegistryError } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';

import { removalOrderOf, RepositoryGraph } from '../graph/index.ts';
import { cutOffBefore, maintained } from '../shared/index.ts';

import { readRules } from './retention-rules.ts';
import type { ReadTagRule, ReadUntaggedRule, RetentionRules } from './retention-rules.ts';

/** What is to go, as data: it can be shown, kept as JSON, and carried out later. */
export type RetentionStep =
  | {
      type: 'tag';
      repository: string;
      tag: string;
      /** Where the tag is: it goes only as long as it is there. */
      digest: Digest;
      /** Which of the rules for tags says so, from 0. */
      rule: number;
      /** Of the manifest; RFC 3339. */
      createdAt: string;
      usedAt: string;
    }
  | {
      type: 'manifest';
      repository: string;
      digest: Digest;
      /** Bytes. */
      size: number;
      /** Which of the rules for untagged manifests says so, from 0. */
      rule: number;
      /** It goes only if nobody has used it since; RFC 3339. */
      unusedSince: string;
      /** Manifests that name it, and its subject: it goes only if all of these have gone. */
      after: readonly Digest[];
    };

export interface PlanRetentionOptions {
  signal?: AbortSignal | undefined;
}

/**
 * What the rules say is to go. Changes nothing, and counts as no use. Repository by repository, in each of them first tags and then
 * untagged manifests, those before which others have to go later; what loses its last tag by this plan is not among them.
 *
 * Rejects with UNSUPPORTED if the registry cannot be maintained; with TypeError if a rule makes no sense, before anything is looked at.
 *
 * @example
 * const rules = { tags: [{ tags: ['pr-*'], keep: { usedWithin: 14 * 24 * 60 * 60 * 1000 } }] };
 * for await (const step of planRetention(registry, rules)) show(step);
 */
export async function* planRetention(
  registry: Registry,
  rules: RetentionRules,
  { signal }: PlanRetentionOptions = {},
): AsyncGenerator<RetentionStep, void, undefined> {
  const { tags, untagged } = readRules(rules);
  maintained(registry);
  for await (const repository of registry.repositories({ signal })) {
    try {
      const tagRules = tags.filter((rule) => rule.isFor(repository));
      if (tagRules.length > 0) yield* planTags(registry, repository, tagRules, signal);
      const rule = untagged.find(({ isFor }) => isFor(repository));
      if (rule !== undefined) yield* planUntagged(registry, repository, rule, signal);
    } catch (error) {
      // It is gone by now.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }
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
  rules: readonly ReadTagRule[],
  signal: AbortSignal | undefined,
): AsyncGenerator<RetentionStep, void, undefined> {
  const now = Date.now();
  const found = new Map<ReadTagRule, TagTimes[]>(rules.map((rule) => [rule, []]));
  for await (const { descriptor, tags, createdAt, usedAt } of maintained(registry).manifests(repository, { signal })) {
    const times = { digest: descriptor.digest, createdAt: createdAt.getTime(), usedAt: usedAt.getTime() };
    for (const tag of tags) {
      const rule = rules.find(({ speaksOf }) => speaksOf(tag));
      if (rule !== undefined) found.get(rule)?.push({ tag, ...times });
    }
  }
  for (const [rule, tags] of found) {
    const newest = tags.toSorted((a, b) => b.createdAt - a.createdAt || (a.tag < b.tag ? 1 : -1));
    for (const { tag, digest, createdAt, usedAt } of newest.slice(rule.last)) {
      if (rule.keepsName(tag) || usedAt > now - rule.usedWithin || createdAt > now - rule.createdWithin) continue;
      const times = { createdAt: new Date(createdAt).toISOString(), usedAt: new Date(usedAt).toISOString() };
      yield { type: 'tag', repository, tag, digest, rule: rule.number, ...times };
    }
  }
}

async function* planUntagged(
  registry: Registry,
  repository: string,
  { number, keepUsedWithin }: ReadUntaggedRule,
  signal: AbortSignal | undefined,
): AsyncGenerator<RetentionStep, void, undefined> {
  const unusedSince = cutOffBefore(keepUsedWithin)();
  const graph = new RepositoryGraph(registry, maintained(registry), repository, signal);
  await graph.mark(({ tags, usedAt }) => tags.length > 0 || usedAt.getTime() >= unusedSince.getTime());
  // What cannot be read may name anything.
  if (graph.unreadable.length > 0) return;
  const order = await removalOrderOf(graph);
  for (const wave of order.waves()) {
    for (const digest of wave) {
      const size = graph.manifests.get(digest)?.descriptor.size ?? 0;
      const step = { repository, digest, size, rule: number, unusedSince: unusedSince.toISOString() };
      yield { type: 'manifest', ...step, after: order.before(digest) };
    }
  }
}

import type { Digest, Maintenance, Registry } from '../../model/index.ts';

import { RepositoryGraph } from '../graph/index.ts';
import type { NamedContent } from '../graph/index.ts';
import { cutOffBefore, mapAhead } from '../shared/index.ts';

import type { CheckEvent, Finding } from './findings.ts';

/** What one check has settled. */
export interface SettledCheck {
  registry: Registry;
  maintenance: Maintenance;
  gracePeriod: number;
  sparse: boolean;
  concurrency: number;
  signal: AbortSignal | undefined;
  onEvent: (event: CheckEvent) => void;
}

/** Something that a manifest names. */
interface Need {
  content: 'manifest' | 'blob';
  size: number | undefined;
  mediaType: string | undefined;
  neededBy: Digest;
}

/** What is wrong in one repository. Rejects with NAME_UNKNOWN if it is gone. */
export async function* checkRepository(
  settled: SettledCheck,
  repository: string,
): AsyncGenerator<Finding, void, undefined> {
  const { registry, maintenance, gracePeriod, concurrency, signal, onEvent } = settled;
  const unusedSince = cutOffBefore(gracePeriod)().getTime();
  const graph = new RepositoryGraph(registry, maintenance, repository, signal);
  await graph.mark(({ tags, usedAt }) => tags.length > 0 || usedAt.getTime() >= unusedSince);

  const { needs, unreadable } = await lookIntoManifests(graph, settled);
  for (const [digest, kind] of unreadable) {
    if (kind === 'missing' && !(await isListed(maintenance, repository, digest))) {
      unreadable.delete(digest);
      continue;
    }
    const descriptor = graph.manifests.get(digest)?.descriptor;
    const { size, mediaType } = descriptor ?? {};
    const neededBy = needs.get(digest)?.neededBy;
    yield { kind, repository, digest, content: 'manifest', size, mediaType, neededBy };
  }
  // What cannot be read may name anything.
  const canTell = unreadable.size === 0;
  const isUnreachable = (digest: Digest): boolean => canTell && !graph.reached.has(digest);
  for (const { descriptor } of graph.manifests.values()) {
    const { digest, size, mediaType } = descriptor;
    if (!isUnreachable(digest)) continue;
    const neededBy = needs.get(digest)?.neededBy;
    yield { kind: 'unreachable', repository, digest, content: 'manifest', size, mediaType, neededBy };
  }

  const blobs = maintenance.blobs(repository, { signal });
  const verdicts = mapAhead(blobs, concurrency, async ({ descriptor, usedAt }) => ({
    descriptor,
    isOld: usedAt.getTime() < unusedSince,
    verdict: await maintenance.verify(repository, descriptor.digest, { signal }),
  }));
  for await (const { descriptor, isOld, verdict } of verdicts) {
    await graph.giveWay();
    const { digest, size } = descriptor;
    onEvent({ type: 'checked', repository, size });
    const need = needs.get(digest);
    const blob = { repository, digest, content: 'blob', size, mediaType: need?.mediaType } as const;
    const finding = { ...blob, neededBy: need?.neededBy };
    // What is missing is a finding if something names it, and comes below.
    if (verdict !== 'missing') needs.delete(digest);
    if (verdict === 'corrupt') yield { kind: 'corrupt', ...finding };
    if (isOld && isUnreachable(digest)) yield { kind: 'unreachable', ...finding };
  }
  for (const [digest, need] of needs) {
    if (graph.manifests.has(digest)) continue;
    await graph.giveWay();
    // It may have come since the lists were read.
    const verdict = await maintenance.verify(repository, digest, { signal });
    if (verdict === 'missing') yield { kind: 'missing', repository, digest, ...need };
  }
}

/** Somebody may have deleted a manifest between the list and the look into it. */
async function isListed(maintenance: Maintenance, repository: string, digest: Digest): Promise<boolean> {
  // Nothing else is between the digest and what of it comes before its last character.
  const startAfter = digest.slice(0, -1);
  for await (const { descriptor } of maintenance.manifests(repository, { startAfter, limit: 1 })) {
    return descriptor.digest === digest;
  }
  return false;
}

interface Manifests {
  needs: Map<Digest, Need>;
  unreadable: Map<Digest, 'missing' | 'corrupt'>;
}

async function lookIntoManifests(graph: RepositoryGraph, settled: SettledCheck): Promise<Manifests> {
  const { repository } = graph;
  const needs = new Map<Digest, Need>();
  const unreadable = new Map<Digest, 'missing' | 'corrupt'>();
  const listed = graph.manifests.values();
  const read = mapAhead(listed, settled.concurrency, async ({ descriptor }) => ({
    descriptor,
    named: await graph.named(descriptor),
  }));
  for await (const { descriptor, named } of read) {
    await graph.giveWay();
    settled.onEvent({ type: 'checked', repository, size: descriptor.size });
    if (typeof named === 'string') {
      unreadable.set(descriptor.digest, named);
      continue;
    }
    const neededBy = descriptor.digest;
    for (const blob of named.blobs) addNeed(needs, 'blob', blob, neededBy);
    if (settled.sparse) continue;
    for (const manifest of named.manifests) addNeed(needs, 'manifest', manifest, neededBy);
  }
  return { needs, unreadable };
}

/** Manifests come in the order of their digests: the first one that names it stays. */
function addNeed(needs: Map<Digest, Need>, content: Need['content'], named: NamedContent, neededBy: Digest): void {
  const { digest, size, mediaType, isElsewhere } = named;
  if (isElsewhere || needs.has(digest)) return;
  needs.set(digest, { content, size, mediaType, neededBy });
}

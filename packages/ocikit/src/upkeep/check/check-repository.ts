// Checks the manifests and blobs of one repository.
import { isRegistryError } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';

import { isNamed, RepositoryGraph } from '../graph/index.ts';
import type { LinkedContent } from '../graph/index.ts';
import { ageThreshold, listedManifest, mapAhead } from '../shared/index.ts';

import type { CheckEvent, Finding } from './findings.ts';

/** The registry and the options of a check, with their defaults. */
export interface CheckSettings {
  /** The registry that is checked. */
  registry: Registry;
  /** The registry's maintenance. */
  maintenance: Maintenance;
  /** Milliseconds for which unreachable content is no finding. */
  gracePeriod: number;
  /** Whether indexes may name missing manifests. */
  sparse: boolean;
  /** How many manifests or blobs are read at a time. */
  concurrency: number;
  /** Ends the check. */
  signal: AbortSignal | undefined;
  /** Is told of each step. */
  onEvent: (event: CheckEvent) => void;
}

/** Content that a manifest names. */
interface Need {
  content: 'manifest' | 'blob';
  size: number | undefined;
  mediaType: string | undefined;
  neededBy: Digest;
}

/** Yields the findings of one repository. Rejects with NAME_UNKNOWN if the repository is gone. */
export async function* checkRepository(
  settings: CheckSettings,
  repository: string,
): AsyncGenerator<Finding, void, undefined> {
  const { registry, maintenance, gracePeriod, concurrency, signal, onEvent } = settings;
  const unusedSince = ageThreshold(gracePeriod)().getTime();
  const graph = new RepositoryGraph(registry, maintenance, repository, signal);
  await graph.mark((manifest) => isNamed(manifest) || manifest.usedAt.getTime() >= unusedSince);

  const { needs, unreadable } = await readManifests(graph, settings);
  for (const [digest, kind] of unreadable) {
    // A client may have deleted the manifest since it was listed.
    if (kind === 'missing' && (await listedManifest(maintenance, repository, digest)) === undefined) {
      unreadable.delete(digest);
      continue;
    }
    const descriptor = graph.manifests.get(digest)?.descriptor;
    const { size, mediaType } = descriptor ?? {};
    const neededBy = needs.get(digest)?.neededBy;
    yield { kind, repository, digest, content: 'manifest', size, mediaType, neededBy };
  }
  // A manifest that cannot be read may name any content.
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
    ...(await verdictOf(settings, repository, descriptor.digest)),
  }));
  for await (const { descriptor, isOld, verdict, reason } of verdicts) {
    await graph.giveWay();
    const { digest, size } = descriptor;
    onEvent({ type: 'checked', repository, size });
    const need = needs.get(digest);
    const blob = { repository, digest, content: 'blob', size, mediaType: need?.mediaType } as const;
    const finding = { ...blob, neededBy: need?.neededBy };
    // Missing content is a finding only if a manifest names it: see below.
    if (verdict !== 'missing') needs.delete(digest);
    if (verdict === 'corrupt') yield { kind: 'corrupt', ...finding };
    if (verdict === 'unreadable') yield { kind: 'unreadable', reason, ...finding };
    if (isOld && isUnreachable(digest)) yield { kind: 'unreachable', ...finding };
  }
  for (const [digest, need] of needs) {
    if (graph.manifests.has(digest)) continue;
    await graph.giveWay();
    // It may have been pushed after the lists were read.
    const { verdict, reason } = await verdictOf(settings, repository, digest);
    if (verdict === 'missing') yield { kind: 'missing', repository, digest, ...need };
    if (verdict === 'unreadable') yield { kind: 'unreadable', reason, repository, digest, ...need };
  }
}

interface Verdict {
  verdict: Awaited<ReturnType<Maintenance['verify']>> | 'unreadable';
  /** The reason why it cannot be read. */
  reason?: string;
}

/** One file that cannot be read does not keep the others from being checked. */
async function verdictOf(settings: CheckSettings, repository: string, digest: Digest): Promise<Verdict> {
  const { maintenance, signal } = settings;
  try {
    return { verdict: await maintenance.verify(repository, digest, { signal }) };
  } catch (error) {
    if (!isRegistryError(error, 'UNAVAILABLE')) throw error;
    return { verdict: 'unreadable', reason: error.message };
  }
}

interface Manifests {
  needs: Map<Digest, Need>;
  unreadable: Map<Digest, 'missing' | 'corrupt'>;
}

async function readManifests(graph: RepositoryGraph, settings: CheckSettings): Promise<Manifests> {
  const { repository } = graph;
  const needs = new Map<Digest, Need>();
  const unreadable = new Map<Digest, 'missing' | 'corrupt'>();
  const listed = graph.manifests.values();
  const read = mapAhead(listed, settings.concurrency, async ({ descriptor }) => ({
    descriptor,
    links: await graph.linksOf(descriptor),
  }));
  for await (const { descriptor, links } of read) {
    await graph.giveWay();
    settings.onEvent({ type: 'checked', repository, size: descriptor.size });
    if (typeof links === 'string') {
      unreadable.set(descriptor.digest, links);
      continue;
    }
    const neededBy = descriptor.digest;
    for (const blob of links.blobs) addNeed(needs, 'blob', blob, neededBy);
    if (settings.sparse) continue;
    for (const manifest of links.manifests) addNeed(needs, 'manifest', manifest, neededBy);
  }
  return { needs, unreadable };
}

/** Notes that a manifest names some content. Manifests come in the order of their digests, and the first one counts. */
function addNeed(needs: Map<Digest, Need>, content: Need['content'], linked: LinkedContent, neededBy: Digest): void {
  const { digest, size, mediaType, isElsewhere } = linked;
  if (isElsewhere || needs.has(digest)) return;
  needs.set(digest, { content, size, mediaType, neededBy });
}

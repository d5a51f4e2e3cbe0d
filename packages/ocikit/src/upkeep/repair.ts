import { digestOf, isRegistryError, linksOf, parseManifestInTurn, splitDigest, wrongDigest } from '../model/index.ts';
import type { Descriptor, Digest, Registry } from '../model/index.ts';

import { isDamage } from './findings.ts';
import type { Finding } from './findings.ts';

const unknownCodes: ReadonlySet<string> = new Set(['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);

export interface RepairOptions {
  /** Where a repository's content is to be fetched from in `from`; the same name if it is left out. */
  repositoryOf?: ((repository: string) => string) | undefined;
  signal?: AbortSignal | undefined;
}

/** What has become of a finding. */
export type Repair =
  | { finding: Finding; outcome: 'repaired' }
  /** It could not be had; `error` says why. */
  | { finding: Finding; outcome: 'failed'; error: unknown };

/**
 * Fetches what is missing or corrupt from another registry, by digest, and pushes it: only bytes that have the digest are
 * stored, and they take the place of damaged ones. With a manifest comes what it names and is not there.
 *
 * Rejects with whatever `signal` was aborted with. All other failures are outcomes.
 *
 * @example
 * const mirror = createClient({ host: 'mirror.example.com' });
 * for await (const finding of check(registry)) {
 *   if (isDamage(finding)) await repair(registry, finding, mirror);
 * }
 */
export async function repair(
  registry: Registry,
  finding: Finding,
  from: Registry,
  options: RepairOptions = {},
): Promise<Repair> {
  const { repository, digest } = finding;
  if (repository === undefined || !isDamage(finding)) throw new TypeError(`${finding.kind} ${digest} needs no repair`);
  const { repositoryOf = (name) => name, signal } = options;
  const way = { registry, from, source: repositoryOf(repository), repository, signal };
  try {
    if (finding.content === 'manifest') await fetchManifest(way, digest, finding.mediaType);
    else await fetchBlob(way, digest);
    return { finding, outcome: 'repaired' };
  } catch (error) {
    signal?.throwIfAborted();
    return { finding, outcome: 'failed', error };
  }
}

interface Way {
  registry: Registry;
  repository: string;
  from: Registry;
  /** The repository there. */
  source: string;
  signal: AbortSignal | undefined;
}

/** @param mediaType as it is known here, which counts for more than what is said elsewhere */
async function fetchManifest(way: Way, digest: Digest, mediaType: string | undefined): Promise<void> {
  const { registry, repository, from, source, signal } = way;
  const { bytes, descriptor } = await from.getManifest(source, digest, { signal });
  const found = digestOf(bytes, splitDigest(digest).algorithm);
  if (found !== digest) throw wrongDigest(digest, found);
  const type = mediaType ?? descriptor.mediaType;
  const { blobs, manifests } = linksOf(await parseManifestInTurn(bytes, type));
  for (const blob of blobs) {
    if (hasUrls(blob)) continue;
    const isThere = registry.resolveBlob(repository, blob.digest, { signal });
    if (await isMissing(isThere)) await fetchBlob(way, blob.digest);
  }
  for (const child of manifests) {
    if (hasUrls(child)) continue;
    const isThere = registry.resolveManifest(repository, child.digest, { signal });
    if (await isMissing(isThere)) await fetchManifest(way, child.digest, child.mediaType);
  }
  await registry.pushManifest(repository, bytes, type, { digest, signal });
}

async function fetchBlob({ registry, repository, from, source, signal }: Way, digest: Digest): Promise<void> {
  const content = await from.getBlob(source, digest, { signal });
  try {
    // What is stored has been verified.
    await registry.pushBlob(repository, { digest }, content, { signal });
  } finally {
    await content.cancel();
  }
}

function hasUrls({ urls }: Descriptor): boolean {
  return urls !== undefined && urls.length > 0;
}

async function isMissing(resolving: Promise<unknown>): Promise<boolean> {
  try {
    await resolving;
    return false;
  } catch (error) {
    if (isRegistryError(error) && unknownCodes.has(error.code)) return true;
    throw error;
  }
}

// Repairs missing and corrupt content by fetching it from another registry.
import {
  digestOf,
  hasUrls,
  isRegistryError,
  linksOf,
  manifestMediaType,
  parseManifestInTurn,
  splitDigest,
  wrongDigest,
} from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';

import { isDamage } from './findings.ts';
import type { Finding } from './findings.ts';

const unknownCodes: ReadonlySet<string> = new Set(['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);

/** Options of {@link repair}. */
export interface RepairOptions {
  /** Gives the repository of the other registry that has a repository's content. Default: the same name. */
  repositoryOf?: ((repository: string) => string) | undefined;
  /** Ends the repair. */
  signal?: AbortSignal | undefined;
}

/** The outcome of a repair. */
export type Repair =
  | { finding: Finding; outcome: 'repaired' }
  /** The content could not be fetched or stored; `error` says why. */
  | { finding: Finding; outcome: 'failed'; error: unknown };

/**
 * Fetches missing or corrupt content from another registry, by its digest, and pushes it. Bytes are stored only if they
 * match the digest, and replace damaged ones. With a manifest, all missing content that it names is fetched too.
 *
 * Rejects with the signal's reason if `signal` is aborted, and with TypeError if the finding is no damage
 * ({@link isDamage}). All other failures are outcomes.
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
  if (finding.repository === undefined || !isDamage(finding)) {
    const what = finding.digest ?? finding.repository ?? 'the registry';
    throw new TypeError(`${what} is ${finding.kind}, which needs no repair`);
  }
  const { repository, digest } = finding;
  const { repositoryOf = (name) => name, signal } = options;
  const job = { registry, from, source: repositoryOf(repository), repository, signal };
  try {
    if (finding.content === 'manifest') await fetchManifest(job, digest, finding.mediaType);
    else await fetchBlob(job, digest);
    return { finding, outcome: 'repaired' };
  } catch (error) {
    signal?.throwIfAborted();
    return { finding, outcome: 'failed', error };
  }
}

/** One repair: its target, and the registry to fetch from. */
interface RepairJob {
  registry: Registry;
  repository: string;
  from: Registry;
  /** The repository of `from`. */
  source: string;
  signal: AbortSignal | undefined;
}

/** @param mediaType as the repaired registry knows it; it overrides the other registry's */
async function fetchManifest(job: RepairJob, digest: Digest, mediaType: string | undefined): Promise<void> {
  const { registry, repository, from, source, signal } = job;
  const { bytes, descriptor } = await from.getManifest(source, digest, { signal });
  const found = digestOf(bytes, splitDigest(digest).algorithm);
  if (found !== digest) throw wrongDigest(digest, found);
  const type = mediaType ?? descriptor.mediaType;
  const document = await parseManifestInTurn(bytes, type);
  const { blobs, manifests } = linksOf(document);
  for (const blob of blobs) {
    if (hasUrls(blob)) continue;
    if (!(await isMissing(registry.resolveBlob(repository, blob.digest, { signal })))) continue;
    // An index may give a manifest an unknown type, so that it counts as a blob.
    const isManifest =
      document.kind === 'index' && !(await isMissing(registry.resolveManifest(repository, blob.digest, { signal })));
    if (!isManifest) await fetchBlob(job, blob.digest);
  }
  for (const child of manifests) {
    if (hasUrls(child)) continue;
    const isThere = registry.resolveManifest(repository, child.digest, { signal });
    if (await isMissing(isThere)) await fetchManifest(job, child.digest, manifestMediaType(child.mediaType));
  }
  await registry.pushManifest(repository, bytes, type, { digest, signal });
}

async function fetchBlob({ registry, repository, from, source, signal }: RepairJob, digest: Digest): Promise<void> {
  const content = await from.getBlob(source, digest, { signal });
  try {
    // Pushing verifies the bytes.
    await registry.pushBlob(repository, { digest }, content, { signal });
  } finally {
    await content.cancel();
  }
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

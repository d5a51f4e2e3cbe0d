// Finding the first content that a pushed manifest names and that its repository lacks.
import { hasUrls, TimeSlice } from '../../model/index.ts';
import type { Descriptor, Digest, ManifestLinks } from '../../model/index.ts';

/** Looks up the content that a manifest names. */
export interface LinkLookup {
  /** True if the repository has the blob. */
  hasBlob(digest: Digest): boolean | Promise<boolean>;
  /** True if the repository has the manifest. */
  hasManifest(digest: Digest): boolean | Promise<boolean>;
}

/** Look-ups that run at the same time: many more would take memory, and gain nothing. */
const lookupsAtOnce = 16;

/**
 * Returns the first descriptor of a manifest, in the order of the manifest, whose content is missing. Looks each digest
 * up once, 16 at a time, and stops at the first missing one. Content with URLs may be missing.
 */
export async function firstMissing(links: ManifestLinks, lookup: LinkLookup): Promise<Descriptor | undefined> {
  return (
    (await missingIn(links.blobs, (digest) => lookup.hasBlob(digest))) ??
    (await missingIn(links.manifests, (digest) => lookup.hasManifest(digest)))
  );
}

async function missingIn(
  descriptors: readonly Descriptor[],
  has: (digest: Digest) => boolean | Promise<boolean>,
): Promise<Descriptor | undefined> {
  const slice = new TimeSlice();
  const seen = new Set<Digest>();
  let batch: { descriptor: Descriptor; isThere: boolean | Promise<boolean> }[] = [];
  const missingOfBatch = async (): Promise<Descriptor | undefined> => {
    const asked = batch;
    batch = [];
    const found = await Promise.all(asked.map(async ({ isThere }) => isThere));
    return asked[found.indexOf(false)]?.descriptor;
  };
  for (const descriptor of descriptors) {
    const { digest } = descriptor;
    if (hasUrls(descriptor) || seen.has(digest)) continue;
    seen.add(digest);
    const isThere = has(digest);
    if (isThere === true) {
      if (slice.isOver) await slice.giveWay();
      continue;
    }
    if (batch.push({ descriptor, isThere }) < lookupsAtOnce && isThere !== false) continue;
    const missing = await missingOfBatch();
    if (missing !== undefined) return missing;
    if (slice.isOver) await slice.giveWay();
  }
  return batch.length === 0 ? undefined : missingOfBatch();
}

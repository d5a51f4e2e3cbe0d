import { digestOf, digestsIn, isRegistryError, linksOf, parseManifestInTurn, splitDigest } from '../model/index.ts';
import type { Descriptor, Digest, Maintenance } from '../model/index.ts';

/** What a manifest names. */
export interface Named {
  /** Config, layers, an artifact's blobs; of what is no known kind of manifest, everything that looks like a digest. */
  blobs: readonly NamedContent[];
  /** An index's entries. */
  manifests: readonly NamedContent[];
  subject: Digest | undefined;
}

export interface NamedContent {
  digest: Digest;
  /** As it is named; undefined if the manifest does not say. */
  mediaType: string | undefined;
  /** Bytes; undefined if the manifest does not say. */
  size: number | undefined;
  /** It can be had elsewhere, so it need not be here. */
  isElsewhere: boolean;
}

/**
 * Looks into a manifest without using it. What is damaged may say anything, so it says nothing.
 *
 * @returns `missing` or `corrupt` if it cannot be known
 */
export async function readNamed(
  maintenance: Maintenance,
  repository: string,
  { digest, mediaType }: Descriptor,
): Promise<Named | 'missing' | 'corrupt'> {
  let bytes: Uint8Array;
  try {
    bytes = await maintenance.readManifest(repository, digest);
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN') || isRegistryError(error, 'NAME_UNKNOWN')) return 'missing';
    throw error;
  }
  if (digestOf(bytes, splitDigest(digest).algorithm) !== digest) return 'corrupt';
  return namedBy(bytes, mediaType);
}

async function namedBy(bytes: Uint8Array, mediaType: string): Promise<Named> {
  try {
    const { blobs, manifests, subject } = linksOf(await parseManifestInTurn(bytes, mediaType));
    return { blobs: blobs.map(contentOf), manifests: manifests.map(contentOf), subject: subject?.digest };
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    // Another tool's. It is right by its digest, so what it speaks of is what it names.
    const digests = digestsIn(new TextDecoder().decode(bytes));
    const blobs = digests.map((digest) => ({ digest, mediaType: undefined, size: undefined, isElsewhere: true }));
    return { blobs, manifests: [], subject: undefined };
  }
}

function contentOf({ digest, mediaType, size, urls }: Descriptor): NamedContent {
  return { digest, mediaType, size, isElsewhere: urls !== undefined && urls.length > 0 };
}

// Reads the links of a manifest: the content that it names.
import {
  digestOf,
  digestsIn,
  hasUrls,
  isRegistryError,
  linksOf,
  parseManifestInTurn,
  splitDigest,
} from '../../model/index.ts';
import type { Descriptor, Digest, Maintenance } from '../../model/index.ts';

/** The content that a manifest names. */
export interface ManifestLinks {
  /**
   * Config, layers, an artifact's blobs, and the entries of an index that are no manifests by their type. For a
   * manifest of unknown format: every digest in its text.
   */
  blobs: readonly LinkedContent[];
  /** The entries of an index that are manifests by their type. */
  manifests: readonly LinkedContent[];
  /** The manifest that this one refers to, if any. */
  subject: Digest | undefined;
}

/** A blob or manifest that a manifest names. */
export interface LinkedContent {
  /** Its digest. */
  digest: Digest;
  /** Its media type; undefined if the manifest does not say. */
  mediaType: string | undefined;
  /** Its bytes; undefined if the manifest does not say. */
  size: number | undefined;
  /** The content may be missing here: other servers offer it, or the manifest's format is unknown. */
  isElsewhere: boolean;
}

/**
 * Reads a manifest's links. Reading does not count as using the manifest. The text of a damaged manifest is ignored.
 *
 * @returns `missing` or `corrupt` if the links cannot be known
 */
export async function readManifestLinks(
  maintenance: Maintenance,
  repository: string,
  { digest, mediaType }: Descriptor,
): Promise<ManifestLinks | 'missing' | 'corrupt'> {
  let bytes: Uint8Array;
  try {
    bytes = await maintenance.readManifest(repository, digest);
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN') || isRegistryError(error, 'NAME_UNKNOWN')) return 'missing';
    throw error;
  }
  if (digestOf(bytes, splitDigest(digest).algorithm) !== digest) return 'corrupt';
  return linksIn(bytes, mediaType);
}

async function linksIn(bytes: Uint8Array, mediaType: string): Promise<ManifestLinks> {
  try {
    const { blobs, manifests, subject } = linksOf(await parseManifestInTurn(bytes, mediaType));
    return { blobs: blobs.map(contentOf), manifests: manifests.map(contentOf), subject: subject?.digest };
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    // Unknown format but intact: treat every digest in its text as referenced.
    const digests = digestsIn(new TextDecoder().decode(bytes));
    const blobs = digests.map((digest) => ({ digest, mediaType: undefined, size: undefined, isElsewhere: true }));
    return { blobs, manifests: [], subject: undefined };
  }
}

function contentOf(descriptor: Descriptor): LinkedContent {
  const { digest, mediaType, size } = descriptor;
  return { digest, mediaType, size, isElsewhere: hasUrls(descriptor) };
}

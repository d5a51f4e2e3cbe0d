// Checking a manifest that is pushed.
import {
  assertTag,
  digestOf,
  Digester,
  inTurn,
  linksOf,
  parseDigest,
  parseManifest,
  parseManifestInSlices,
  referrerDescriptor,
  splitDigest,
  wrongDigest,
} from '../../model/index.ts';
import type { Descriptor, Digest, ManifestDocument, ManifestLinks, PushManifestOptions } from '../../model/index.ts';

/** A verified and validated manifest, with the facts that a store needs. */
export interface PushedContent {
  /** A copy of the pushed bytes. */
  bytes: Uint8Array;
  /** The manifest's media type, digest and size. */
  descriptor: Descriptor;
  /** The tags to set, each once. */
  tags: string[];
  /** The parsed manifest. */
  document: ManifestDocument;
  /** The content that it names. */
  links: ManifestLinks;
  /** The digests of all content that it names, its subject included, each once. */
  digests: Digest[];
  /** The descriptor that lists it as a referrer of its subject, if it has one. */
  referrer: Descriptor | undefined;
}

/** Bytes up to which a manifest is checked faster than others could notice. */
const smallManifest = 64 * 1024;

/**
 * Verifies and validates a pushed manifest and its tags, as far as that does not depend on the repository. A large one
 * waits for other large ones and is checked in slices, so that no manifest holds up the other requests.
 *
 * @throws RegistryError MANIFEST_INVALID, UNSUPPORTED_MEDIA_TYPE, DIGEST_INVALID
 */
export async function checkPushedManifest(
  bytes: Uint8Array,
  mediaType: string,
  options: PushManifestOptions,
): Promise<PushedContent> {
  if (bytes.length <= smallManifest) return readPushedManifest(bytes, mediaType, options);
  const tags = tagsOf(options);
  // The caller may change its own buffer later.
  const kept = new Uint8Array(bytes);
  return inTurn(async (slice) => {
    const digest = digestOfManifest(kept, options.digest);
    await slice.giveWay();
    const document = await parseManifestInSlices(kept, mediaType, slice);
    await slice.giveWay();
    return contentOf(kept, digest, tags, document);
  });
}

/**
 * As {@link checkPushedManifest}, but at once, however large the manifest is.
 *
 * @throws RegistryError MANIFEST_INVALID, UNSUPPORTED_MEDIA_TYPE, DIGEST_INVALID
 */
export function readPushedManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions): PushedContent {
  const tags = tagsOf(options);
  const kept = new Uint8Array(bytes);
  const digest = digestOfManifest(kept, options.digest);
  return contentOf(kept, digest, tags, parseManifest(kept, mediaType));
}

function tagsOf(options: PushManifestOptions): string[] {
  const tags = [...new Set(options.tags)];
  tags.forEach(assertTag);
  return tags;
}

function contentOf(bytes: Uint8Array, digest: Digest, tags: string[], document: ManifestDocument): PushedContent {
  const links = linksOf(document);
  const descriptor = { mediaType: document.mediaType, digest, size: bytes.length };
  const referrer = links.subject === undefined ? undefined : referrerDescriptor(document, descriptor);
  return { bytes, descriptor, tags, document, links, digests: digestsOf(links), referrer };
}

function digestOfManifest(bytes: Uint8Array, expected: Digest | undefined): Digest {
  if (expected === undefined) return digestOf(bytes);
  const digester = new Digester(splitDigest(parseDigest(expected)).algorithm);
  digester.update(bytes);
  if (digester.digest() !== expected) throw wrongDigest(expected, digester.digest());
  return expected;
}

function digestsOf({ blobs, manifests, subject }: ManifestLinks): Digest[] {
  const all = [...blobs, ...manifests, ...(subject === undefined ? [] : [subject])];
  return [...new Set(all.map(({ digest }) => digest))];
}

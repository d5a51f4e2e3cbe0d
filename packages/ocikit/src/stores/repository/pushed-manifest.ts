// Checking a manifest that is pushed.
import {
  assertTag,
  digestOf,
  Digester,
  linksOf,
  parseDigest,
  parseManifest,
  referrerDescriptor,
  splitDigest,
  wrongDigest,
} from '../../model/index.ts';
import type { Descriptor, Digest, ManifestLinks, PushManifestOptions } from '../../model/index.ts';

/** A verified and validated manifest, with the facts that a store needs. */
export interface PushedContent {
  /** A copy of the pushed bytes. */
  bytes: Uint8Array;
  /** The manifest's media type, digest and size. */
  descriptor: Descriptor;
  /** The tags to set, each once. */
  tags: string[];
  /** The content that it names. */
  links: ManifestLinks;
  /** The digests of all content that it names, its subject included, each once. */
  digests: Digest[];
  /** The descriptor that lists it as a referrer of its subject, if it has one. */
  referrer: Descriptor | undefined;
}

/**
 * Verifies and validates a pushed manifest and its tags, as far as that does not depend on the repository.
 *
 * @throws RegistryError MANIFEST_INVALID, UNSUPPORTED_MEDIA_TYPE, DIGEST_INVALID
 */
export function readPushedManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions): PushedContent {
  const tags = [...new Set(options.tags)];
  tags.forEach(assertTag);
  // The caller may change its own buffer later.
  const kept = new Uint8Array(bytes);
  const digest = digestOfManifest(kept, options.digest);
  const document = parseManifest(kept, mediaType);
  const links = linksOf(document);
  const descriptor = { mediaType, digest, size: kept.length };
  const referrer = links.subject === undefined ? undefined : referrerDescriptor(document, descriptor);
  return { bytes: kept, descriptor, tags, links, digests: digestsOf(links), referrer };
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

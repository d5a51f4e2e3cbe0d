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

/** A manifest that has been verified and validated, and what a store has to know of it. */
export interface PushedContent {
  bytes: Uint8Array;
  descriptor: Descriptor;
  tags: string[];
  links: ManifestLinks;
  /** Of everything that it names, its subject included. */
  digests: Digest[];
  referrer: Descriptor | undefined;
}

/** @throws RegistryError as {@link Writer.pushManifest} does, but for what depends on the repository */
export function readPushedManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions): PushedContent {
  const tags = [...new Set(options.tags)];
  tags.forEach(assertTag);
  // The caller's buffer stays the caller's.
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

/** Content that can be fetched elsewhere need not be here. */
export function hasUrls(urls: readonly string[] | undefined): boolean {
  return urls !== undefined && urls.length > 0;
}

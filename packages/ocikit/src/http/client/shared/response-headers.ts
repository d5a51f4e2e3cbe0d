// The headers of a response that are about its content.
import { isDigest, mediaTypes, splitDigest, wrongDigest } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import type { ClientResponse } from './response.ts';

/**
 * The digest that a response names; undefined if it names none (ECR), or one that cannot be computed here.
 *
 * @throws RegistryError DIGEST_INVALID if it is another digest than was asked for: the content is then not the wanted
 * one
 */
export function digestIn({ headers }: ClientResponse, requested: Digest | undefined): Digest | undefined {
  const digest = headers.get('docker-content-digest')?.trim() ?? '';
  if (!isDigest(digest)) return undefined;
  if (requested === undefined) return digest;
  // Content has a digest for each algorithm: two of different algorithms cannot be compared.
  const sameAlgorithm = splitDigest(digest).algorithm === splitDigest(requested).algorithm;
  if (sameAlgorithm && digest !== requested) throw wrongDigest(requested, digest);
  return digest;
}

/** The descriptor of a blob. A registry knows no media type of a blob. */
export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

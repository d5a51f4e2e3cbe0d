import { isDigest, mediaTypes, splitDigest, wrongDigest } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import type { Answer } from './response.ts';

/**
 * The digest that the answer names; undefined if it names none (ECR), or one that cannot be computed here.
 *
 * @throws RegistryError DIGEST_INVALID if it names another one than was asked for: whatever came, it is not what is wanted
 */
export function digestIn({ headers }: Answer, requested: Digest | undefined): Digest | undefined {
  const digest = headers.get('docker-content-digest')?.trim() ?? '';
  if (!isDigest(digest)) return undefined;
  if (requested === undefined) return digest;
  // Content has a digest for each algorithm: of another one nothing can be said.
  const sameAlgorithm = splitDigest(digest).algorithm === splitDigest(requested).algorithm;
  if (sameAlgorithm && digest !== requested) throw wrongDigest(requested, digest);
  return digest;
}

/** Of a blob no registry knows more than this. */
export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

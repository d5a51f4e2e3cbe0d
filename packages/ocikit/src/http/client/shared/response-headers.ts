// The headers of a response that are about its content.
import { isDigest, splitDigest, wrongDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import type { ClientResponse, ResponseFaults } from './response.ts';

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

/**
 * Checks the digest that a registry names after a push. Docker's registry names everything by its sha256 digest, also
 * if it has verified another one: a digest of another algorithm cannot be compared.
 *
 * @throws RegistryError UNKNOWN if the registry has stored something else
 */
export function assertStored(faults: ResponseFaults, response: ClientResponse, digest: Digest): void {
  const found = response.headers.get('docker-content-digest');
  if (found === null || found === digest) return;
  if (isDigest(found) && splitDigest(found).algorithm !== splitDigest(digest).algorithm) return;
  throw faults.wrongResponse(response, `names ${found} as stored, not ${digest}`);
}

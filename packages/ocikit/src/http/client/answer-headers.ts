import { isDigest, mediaTypes, splitDigest, wrongDigest } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';

import type { Answer } from './answers.ts';
import type { Transport } from './transport.ts';

/** Bytes of the content that the answer is about; undefined if it does not say. */
export function lengthIn({ headers }: Pick<Answer, 'headers'>): number | undefined {
  const length = headers.get('content-length');
  // What is encoded has another length when it arrives.
  const isEncoded = !['', 'identity'].includes(headers.get('content-encoding') ?? '');
  return length !== null && /^\d+$/.test(length) && !isEncoded ? Number(length) : undefined;
}

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

/**
 * @throws what `wrongAnswer` makes if the registry says that it has stored something else. Docker's registry names everything by
 * its sha256 digest, whatever digest it has verified: of another algorithm nothing can be said.
 */
export function assertStored(transport: Transport, answer: Answer, digest: Digest): void {
  const found = answer.headers.get('docker-content-digest');
  if (found === null || found === digest) return;
  if (isDigest(found) && splitDigest(found).algorithm !== splitDigest(digest).algorithm) return;
  throw transport.wrongAnswer(answer, `speaks of ${found}, not of ${digest}`);
}

/** Of a blob no registry knows more than this. */
export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

// The check of what a registry says it has stored.
import { isDigest, splitDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import type { Answer } from '../shared/index.ts';
import type { Transport } from './transport.ts';

/**
 * Checks the digest that a registry names after a push. Docker's registry names everything by its sha256 digest, also where it has
 * verified another one: a digest of another algorithm cannot be compared.
 *
 * @throws the error of `wrongAnswer` if the registry says that it has stored something else
 */
export function assertStored(transport: Transport, answer: Answer, digest: Digest): void {
  const found = answer.headers.get('docker-content-digest');
  if (found === null || found === digest) return;
  if (isDigest(found) && splitDigest(found).algorithm !== splitDigest(digest).algorithm) return;
  throw transport.wrongAnswer(answer, `speaks of ${found}, not of ${digest}`);
}

// The check of the digest that a registry names after a push.
import { isDigest, splitDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';
import type { ClientResponse } from '../shared/index.ts';

import type { Transport } from './transport.ts';

/**
 * Checks the digest that a registry names after a push. Docker's registry names everything by its sha256 digest, also
 * if it has verified another one: a digest of another algorithm cannot be compared.
 *
 * @throws RegistryError UNKNOWN if the registry has stored something else
 */
export function assertStored(transport: Transport, response: ClientResponse, digest: Digest): void {
  const found = response.headers.get('docker-content-digest');
  if (found === null || found === digest) return;
  if (isDigest(found) && splitDigest(found).algorithm !== splitDigest(digest).algorithm) return;
  throw transport.wrongResponse(response, `names ${found} as stored, not ${digest}`);
}

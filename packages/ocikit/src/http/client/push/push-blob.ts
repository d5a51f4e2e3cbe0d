// Pushing a whole blob.
import { assertRepository, blobDescriptor, parseDigest } from '../../../model/index.ts';
import type { BlobIdentity, BlobSource, CallOptions, Descriptor } from '../../../model/index.ts';
import { loadPart } from '../shared/index.ts';

import { openPayload } from './payload.ts';
import type { PushingParts } from './pushing-parts.ts';

/**
 * Pushes a whole blob. Its source is opened before the code that sends it is loaded: a stream may fail meanwhile, and
 * its error must be caught.
 */
export async function pushBlob(
  parts: PushingParts,
  repository: string,
  { digest, size }: BlobIdentity,
  source: BlobSource,
  call: CallOptions,
): Promise<Descriptor> {
  const { signal, onEvent } = call;
  signal?.throwIfAborted();
  assertRepository(repository);
  parseDigest(digest);
  onEvent?.({ type: 'started', repository, digest, size });
  const payload = await openPayload(source, { size, signal });
  try {
    if (payload.failure !== undefined) throw payload.failure.error;
    const { pushPayload } = await loadPart(import('./push-payload.ts'), signal);
    const stored = await pushPayload(parts, { repository, digest, payload, call });
    onEvent?.({ type: 'verified', repository, digest, size: stored });
    onEvent?.({ type: 'done', repository, digest, size: stored });
    return blobDescriptor(digest, stored);
  } finally {
    await payload.close();
  }
}

// Reads content from a source, and verifies it against its descriptor.
import { createContent, VerifyingReader, wrongSize } from '../../model/index.ts';
import type { BlobContent, CallOptions, Descriptor, GetBlobOptions } from '../../model/index.ts';

import { assertDescriptor, assertFits } from './descriptor-checks.ts';
import { inlineData } from './inline-data.ts';
import type { ImageSource } from './source.ts';

/** Bytes that are read into memory if the caller gives no limit: 50 MiB. */
export const defaultLimit: number = 50 * 1024 * 1024;

/** Options for reading content into memory. */
export interface ReadVerifiedOptions extends CallOptions {
  /** Bytes. Larger content is refused before it is fetched. Default: 52,428,800 (50 MiB). */
  limit?: number | undefined;
}

/** Opens the content of a descriptor. Reading all of it verifies the digest. A range cannot be verified. */
export async function openVerified(
  source: ImageSource,
  descriptor: Descriptor,
  options: GetBlobOptions,
): Promise<BlobContent> {
  const { range, signal } = options;
  signal?.throwIfAborted();
  assertDescriptor(descriptor);
  const inline = inlineData(descriptor);
  if (inline !== undefined) return createContent({ descriptor, range, signal, source: { pieces: [inline] } });
  const content = await source.openBlob(descriptor, { ...options, verify: false });
  try {
    signal?.throwIfAborted();
    if (content.descriptor.size !== descriptor.size)
      throw wrongSize(descriptor.digest, descriptor.size, content.descriptor.size);
  } catch (error) {
    await content.cancel();
    throw error;
  }
  const { start, end } = content.range;
  const isWhole = start === 0 && end === descriptor.size;
  return createContent({
    descriptor,
    range: content.range,
    signal,
    source: {
      iterate: () => (isWhole ? new VerifyingReader(content, descriptor) : content),
      cancel: () => content.cancel(),
    },
  });
}

/** Reads the content of a descriptor into memory, verified. */
export async function readVerified(
  source: ImageSource,
  descriptor: Descriptor,
  options: ReadVerifiedOptions,
): Promise<Uint8Array> {
  const { limit = defaultLimit, ...call } = options;
  assertDescriptor(descriptor);
  assertFits(descriptor, limit);
  const content = await openVerified(source, descriptor, call);
  return content.bytes(limit);
}

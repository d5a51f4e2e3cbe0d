// Compares content with its descriptor.
import { parseDigest, RegistryError } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';

/**
 * Checks a descriptor's digest and size. The descriptors of a parsed manifest are valid; others may come from any
 * caller.
 *
 * @throws RegistryError DIGEST_INVALID, SIZE_INVALID
 */
export function assertDescriptor({ digest, size }: Descriptor): void {
  parseDigest(digest);
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new RegistryError(
      'SIZE_INVALID',
      `the descriptor of ${digest} gives ${size} as its size, which is no number of bytes`,
    );
  }
}

/**
 * Refuses content that is too large to hold in memory.
 *
 * @throws RegistryError CONTENT_TOO_LARGE
 */
export function assertFits({ digest, size }: Descriptor, limit: number): void {
  if (size > limit) {
    throw new RegistryError('CONTENT_TOO_LARGE', `${digest} has ${size} bytes, more than the limit of ${limit}`);
  }
}

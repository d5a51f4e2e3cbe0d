import { parseDigest, RegistryError } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';

/**
 * Descriptors of a parsed manifest are fine; this one may come from anywhere.
 *
 * @throws RegistryError DIGEST_INVALID, SIZE_INVALID
 */
export function assertDescriptor({ digest, size }: Descriptor): void {
  parseDigest(digest);
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new RegistryError('SIZE_INVALID', `${digest} was announced with ${size} bytes, which is no size`);
  }
}

/** Content has `found` bytes where the descriptor announces others. */
export function wrongSize({ digest, size }: Descriptor, found: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `${digest} was announced with ${size} bytes and has ${found}`, {
    detail: { expected: size, found },
  });
}

/** @throws RegistryError CONTENT_TOO_LARGE */
export function assertFits({ digest, size }: Descriptor, limit: number): void {
  if (size > limit) {
    throw new RegistryError('CONTENT_TOO_LARGE', `${digest} has ${size} bytes, of which at most ${limit} are read`);
  }
}

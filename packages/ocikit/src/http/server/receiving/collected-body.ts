// Collecting a body in memory, up to a limit.
import { RegistryError } from '../../../model/index.ts';
import type { Held } from '../shared/index.ts';

import { GrowingBytes } from './growing-bytes.ts';
import type { PacedBody } from './paced-body.ts';

/**
 * Reads a whole body. Its pieces are copied into a buffer that grows: kept until the end, they would leave holes in the
 * memory of the process.
 *
 * @param limit in bytes
 * @param expected bytes that it will have at most
 * @param held is charged with the bytes as they arrive
 * @throws RegistryError CONTENT_TOO_LARGE as soon as the body exceeds the limit
 */
export async function collect(body: PacedBody, limit: number, expected: number, held: Held): Promise<Uint8Array> {
  const begun = held.begin();
  if (begun !== undefined) await body.holdBack(begun);
  const all = new GrowingBytes(Math.min(expected, limit));
  let only: Uint8Array | undefined;
  let size = 0;
  try {
    for await (const piece of body) {
      size += piece.length;
      if (size > limit) throw bodyTooLarge(limit);
      const charged = held.add(piece.length);
      if (all.size === 0 && only === undefined && piece.length === expected) only = piece;
      else {
        if (only !== undefined) all.add(only);
        only = undefined;
        all.add(piece);
      }
      if (charged !== undefined) await body.holdBack(charged);
    }
    return only ?? all.take();
  } finally {
    all.release();
  }
}

/** Builds the error for a body that exceeds the limit. */
export function bodyTooLarge(limit: number): RegistryError {
  return new RegistryError('CONTENT_TOO_LARGE', `a manifest may have at most ${limit} bytes`, { detail: { limit } });
}

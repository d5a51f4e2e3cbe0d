// Collecting a body in memory, up to a limit.
import { RegistryError } from '../../../model/index.ts';
import type { Held } from '../shared/index.ts';

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
  let all: Uint8Array = new Uint8Array();
  let size = 0;
  for await (const piece of body) {
    const before = size;
    size += piece.length;
    if (size > limit) throw bodyTooLarge(limit);
    const charged = held.add(piece.length);
    if (before === 0 && size === expected) all = piece;
    else {
      if (size > all.length) all = grown(all, before, Math.max(size, Math.min(expected, size * 2)));
      all.set(piece, before);
    }
    if (charged !== undefined) await body.holdBack(charged);
  }
  return all.subarray(0, size);
}

function grown(bytes: Uint8Array, used: number, size: number): Uint8Array {
  const all = new Uint8Array(size);
  all.set(bytes.subarray(0, used));
  return all;
}

/** Builds the error for a body that exceeds the limit. */
export function bodyTooLarge(limit: number): RegistryError {
  return new RegistryError('CONTENT_TOO_LARGE', `a manifest may have at most ${limit} bytes`, { detail: { limit } });
}

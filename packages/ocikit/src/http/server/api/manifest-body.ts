// Reading a pushed manifest into memory, up to the limit of the server.
import { RegistryError } from '../../../model/index.ts';

/**
 * Reads the whole body of a pushed manifest.
 *
 * @param limit in bytes
 * @throws RegistryError CONTENT_TOO_LARGE as soon as the body exceeds the limit
 */
export async function readManifest(body: Uint8Array | AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  if (body instanceof Uint8Array) {
    if (body.length > limit) throw manifestTooLarge(limit);
    return body;
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw manifestTooLarge(limit);
    pieces.push(piece);
  }
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Builds the error for a manifest that exceeds the limit. */
export function manifestTooLarge(limit: number): RegistryError {
  return new RegistryError('CONTENT_TOO_LARGE', `a manifest may have at most ${limit} bytes`, { detail: { limit } });
}

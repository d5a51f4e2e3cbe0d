// Hashes content in chunks, so that each part can be verified as soon as it is read.
import { digestOf, RegistryError } from '../../model/index.ts';

import { toBase64 } from '../content/index.ts';

/** The known hashes of a content's chunks. All chunks but the last have the same size. */
export interface HashedChunks {
  /** The content's bytes. */
  size: number;
  /** Bytes of each chunk but the last. */
  chunkSize: number;
  /** The sha256 of each chunk, as base64 without padding. */
  hashes: readonly string[];
}

/**
 * Hashes content in chunks: the sha256 of each, as base64 without padding.
 *
 * @param chunkSize in bytes
 */
export function hashChunks(bytes: Uint8Array, chunkSize: number): string[] {
  const hashes: string[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize) hashes.push(hashOf(bytes.subarray(at, at + chunkSize)));
  return hashes;
}

/**
 * * Yields a content chunk by chunk, each one verified. The caller can use a chunk before the content ends. Rejects
 * with DIGEST_INVALID or SIZE_INVALID.
 *
 * @param pieces the content, from the start of chunk `first`
 * @param last the chunk after which reading stops. After the content's last chunk, further bytes are an error
 */
export async function* verifiedChunks(
  pieces: AsyncIterable<Uint8Array>,
  { size, chunkSize, hashes }: HashedChunks,
  first: number = 0,
  last: number = hashes.length - 1,
): AsyncGenerator<Uint8Array, void, undefined> {
  let index = first;
  let chunk = new Uint8Array(sizeOfChunk(index, size, chunkSize));
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      if (chunk.length === 0) throw new RegistryError('SIZE_INVALID', `the content has more than ${size} bytes`);
      const part = piece.subarray(at, at + chunk.length - filled);
      chunk.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < chunk.length) continue;
      const found = hashOf(chunk);
      if (found !== hashes[index]) {
        throw new RegistryError(
          'DIGEST_INVALID',
          `chunk ${index} has the hash ${found}, but its expected hash is ${hashes[index] ?? 'missing'}`,
        );
      }
      yield chunk;
      if (index === last && last < hashes.length - 1) return;
      chunk = new Uint8Array(sizeOfChunk(++index, size, chunkSize));
      filled = 0;
    }
  }
  if (chunk.length > 0) {
    throw new RegistryError(
      'SIZE_INVALID',
      `the content ends in chunk ${index} of ${hashes.length}, before all ${size} bytes came`,
    );
  }
}

function sizeOfChunk(index: number, size: number, chunkSize: number): number {
  return Math.max(0, Math.min(chunkSize, size - index * chunkSize));
}

function hashOf(bytes: Uint8Array): string {
  const hex = digestOf(bytes).slice('sha256:'.length);
  const hash = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  return toBase64(hash).replace(/=+$/, '');
}

import { digestOf, RegistryError } from '../../model/index.ts';

import { toBase64 } from '../content/index.ts';

/** What is known of a content in advance: the hash of each of its chunks, all but the last one of the same size. */
export interface HashedChunks {
  /** Bytes of all of it. */
  size: number;
  /** Bytes of a chunk. */
  chunkSize: number;
  /** The sha256 of each chunk as base64 without padding. */
  hashes: readonly string[];
}

/** @param chunkSize in bytes */
export function hashChunks(bytes: Uint8Array, chunkSize: number): string[] {
  const hashes: string[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize) hashes.push(hashOf(bytes.subarray(at, at + chunkSize)));
  return hashes;
}

/**
 * Hands on a content chunk by chunk, each after it has been verified, so that what was read can be relied on before the end is reached.
 * Rejects with DIGEST_INVALID, SIZE_INVALID.
 *
 * @param pieces the content from the start of chunk `first` on
 * @param last the chunk at whose end it stops: what follows is not read, unless it is the last of all, which nothing may follow
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
          `the hash of chunk ${index} is ${found}, not ${hashes[index] ?? 'known'}`,
        );
      }
      yield chunk;
      if (index === last && last < hashes.length - 1) return;
      chunk = new Uint8Array(sizeOfChunk(++index, size, chunkSize));
      filled = 0;
    }
  }
  if (chunk.length > 0) {
    throw new RegistryError('SIZE_INVALID', `the content ends in chunk ${index} of ${hashes.length}`);
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

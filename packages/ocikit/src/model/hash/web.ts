// Hashes in JavaScript, for browsers: WebCrypto cannot hash content that arrives in pieces.
import type { Hash } from './hash.ts';
import { BlockHash } from './block-hash.ts';
import { toHex } from './hex.ts';
import { sha256 } from './sha256.ts';
import { sha512 } from './sha512.ts';

const algorithms = { sha256, sha512 };

/** Starts a hash. */
export function createHash(algorithm: 'sha256' | 'sha512'): Hash {
  return new BlockHash(algorithms[algorithm]);
}

/**
 * The hash of bytes in memory.
 *
 * @returns lower-case hexadecimal digits
 */
export function hexHash(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): string {
  const hash = createHash(algorithm);
  hash.update(bytes);
  return toHex(hash.digest());
}

/** The HMAC-SHA-256 of a message. RFC 2104. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(sha256.blockSize);
  block.set(key.length > block.length ? hashOf(key) : key);
  const inner = hashOf(
    block.map((byte) => byte ^ 0x36),
    message,
  );
  return hashOf(
    block.map((byte) => byte ^ 0x5c),
    inner,
  );
}

function hashOf(...parts: Uint8Array[]): Uint8Array {
  const hash = new BlockHash(sha256);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

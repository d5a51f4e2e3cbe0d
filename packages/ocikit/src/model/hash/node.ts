// Hashes by node:crypto, which is the fastest in Node, Bun, Deno and Workers (nodejs_compat).
import nodeCrypto from 'node:crypto';

import type { Hash } from './hash.ts';

/** Undefined in runtimes whose `node:crypto` lacks it. */
const hashOnce: typeof nodeCrypto.hash | undefined = nodeCrypto.hash;
/** The block size of SHA-256, in bytes. */
const blockLength = 64;
/** The outer message of an HMAC, while it is computed: the key must not stay in it. */
const outer = Buffer.alloc(blockLength + 32);

/** Starts a hash. */
export function createHash(algorithm: 'sha256' | 'sha512'): Hash {
  const hash = nodeCrypto.createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.copy().digest(),
  };
}

/** The HMAC-SHA-256 of a message. RFC 2104. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (hashOnce === undefined || key.length > blockLength) {
    return nodeCrypto.createHmac('sha256', key).update(message).digest();
  }
  // Two calls of `hash` are several times faster than an Hmac object.
  const inner = Buffer.allocUnsafe(blockLength + message.length);
  for (let i = 0; i < blockLength; i++) {
    inner[i] = (key[i] ?? 0) ^ 0x36;
    outer[i] = (key[i] ?? 0) ^ 0x5c;
  }
  inner.set(message, blockLength);
  // A text is made faster than a buffer.
  outer.write(hashOnce('sha256', inner, 'hex'), blockLength, 'hex');
  const mac = Buffer.from(hashOnce('sha256', outer, 'hex'), 'hex');
  outer.fill(0);
  return mac;
}

/**
 * The hash of bytes in memory.
 *
 * @returns lower-case hexadecimal digits
 */
export function hexHash(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): string {
  return hashOnce?.(algorithm, bytes, 'hex') ?? nodeCrypto.createHash(algorithm).update(bytes).digest('hex');
}

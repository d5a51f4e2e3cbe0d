// node:crypto hashes at the processor's speed, in Node, Bun, Deno and Workers (nodejs_compat) alike.
import nodeCrypto from 'node:crypto';

import type { Hash } from './hash.ts';

/** Not every runtime that has `node:crypto` has this. */
const hashOnce: typeof nodeCrypto.hash | undefined = nodeCrypto.hash;
/** Bytes. */
const blockLength = 64;

export function createHash(algorithm: 'sha256' | 'sha512'): Hash {
  const hash = nodeCrypto.createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.copy().digest(),
  };
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (hashOnce === undefined || key.length > blockLength) {
    return nodeCrypto.createHmac('sha256', key).update(message).digest();
  }
  // RFC 2104, with two hashes at once: an object for it takes several times as long.
  const inner = Buffer.allocUnsafe(blockLength + message.length);
  const outer = Buffer.allocUnsafe(blockLength + 32);
  for (let i = 0; i < blockLength; i++) {
    inner[i] = (key[i] ?? 0) ^ 0x36;
    outer[i] = (key[i] ?? 0) ^ 0x5c;
  }
  inner.set(message, blockLength);
  outer.write(hashOnce('sha256', inner, 'hex'), blockLength, 'hex');
  return Buffer.from(hashOnce('sha256', outer, 'hex'), 'hex');
}

/** @returns lower-case hexadecimal digits */
export function hexHash(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): string {
  return hashOnce?.(algorithm, bytes, 'hex') ?? nodeCrypto.createHash(algorithm).update(bytes).digest('hex');
}

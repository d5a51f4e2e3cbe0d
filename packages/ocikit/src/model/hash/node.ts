// node:crypto hashes at the processor's speed, in Node, Bun, Deno and Workers (nodejs_compat) alike.
import { createHash as create, createHmac } from 'node:crypto';

import type { Hash } from './hash.ts';

export function createHash(algorithm: 'sha256' | 'sha512'): Hash {
  const hash = create(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.copy().digest(),
  };
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(message).digest();
}

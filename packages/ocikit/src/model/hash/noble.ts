// Browsers have no streaming hash of their own: WebCrypto wants the whole content at once.
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';

import type { Hash } from './hash.ts';

const algorithms = { sha256, sha512 };

export function createHash(algorithm: 'sha256' | 'sha512'): Hash {
  const hash = algorithms[algorithm].create();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.clone().digest(),
  };
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(sha256, key, message);
}

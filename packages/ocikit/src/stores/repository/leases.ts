// Leases, which protect content from removal.
import { parseDigest } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/** Content that must not be removed as unused. Several leases of the same content are counted. */
export class Leases {
  readonly #counts = new Map<string, number>();

  /** True if the content is leased. */
  has(repository: string, digest: Digest): boolean {
    return this.#counts.has(leaseKey(repository, digest));
  }

  /**
   * Leases content until the result is disposed.
   *
   * @throws RegistryError DIGEST_INVALID
   */
  take(repository: string, digests: Iterable<Digest>): AsyncDisposable {
    const keys = Array.from(digests, (digest) => leaseKey(repository, parseDigest(digest)));
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    return {
      [Symbol.asyncDispose]: async () => {
        for (const key of keys.splice(0)) this.#release(key);
      },
    };
  }

  #release(key: string): void {
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left === 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}

function leaseKey(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}

// Verifying content while it is read.
import { wrongDigest, wrongSize } from './content-errors.ts';
import { digestAlgorithm, parseDigest, splitDigest } from './digest.ts';
import type { Digest, DigestAlgorithm } from './digest.ts';
import { toHex } from './hash/hex.ts';

/**
 * Hands content on while it compares it with the expected digest and size. Too many bytes fail at once; too few, or a
 * wrong digest, at the end. Content that has been read to its end without an error is correct.
 *
 * @example
 * const reader = new VerifyingReader(response.body, { digest, size });
 * for await (const piece of reader) await file.write(piece);
 */
export class VerifyingReader implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #expected: { digest: Digest; size?: number | undefined };
  readonly #algorithm: DigestAlgorithm;
  #size = 0;
  #verified = false;

  /**
   * @param expected the size is compared only if it is given
   * @throws RegistryError DIGEST_INVALID if the digest is malformed
   */
  constructor(source: AsyncIterable<Uint8Array>, expected: { digest: Digest; size?: number | undefined }) {
    this.#source = source;
    this.#expected = expected;
    this.#algorithm = digestAlgorithm(splitDigest(parseDigest(expected.digest)).algorithm);
  }

  /** True once the content has been read to its end and is correct. */
  get verified(): boolean {
    return this.#verified;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Reads the content. Rejects with SIZE_INVALID or DIGEST_INVALID if it is wrong. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, size } = this.#expected;
    const hash = this.#algorithm.create();
    for await (const chunk of this.#source) {
      hash.update(chunk);
      this.#size += chunk.length;
      if (size !== undefined && this.#size > size) throw wrongSize(digest, size, this.#size);
      yield chunk;
    }
    if (size !== undefined && this.#size < size) throw wrongSize(digest, size, this.#size);
    const found: Digest = `${this.#algorithm.name}:${toHex(hash.digest())}`;
    if (found !== digest) throw wrongDigest(digest, found);
    this.#verified = true;
  }
}

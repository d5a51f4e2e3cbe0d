// The bytes of a blob before it is stored, with their digest.
import { digestOf, Digester, splitDigest, wrongDigest, wrongSize } from '../../model/index.ts';
import type { BlobIdentity, Digest } from '../../model/index.ts';
import type { BlobStage, StageDigest } from '../blobs/index.ts';

/** From this size in bytes, the stage computes the digest if it can. For fewer bytes, that takes longer to set up. */
const largeSize = 4 * 1024 * 1024;

/** A place for bytes until they become a blob. The last step, storing them as a blob, is left to the store. */
export type UploadStage = Omit<BlobStage, 'keep'> & {
  /** True if bytes to append may be in shared memory that is used again for the third piece after them. */
  readonly takesShared?: boolean;
};

/** Writes the bytes of a blob into a stage and computes their digest. */
export class StagedBytes {
  /** The place of the bytes. */
  readonly stage: UploadStage;
  readonly #algorithm: string;
  /** The size in bytes from which the stage computes the digest. */
  readonly #followFrom: number;
  #size: number;
  /** Hashes all bytes. Undefined if the bytes must be read again for their digest, or the stage computes it. */
  #digester: Digester | undefined;
  /** The digest of all bytes, if they arrived in one piece. */
  #digest: Digest | undefined;
  #following: StageDigest | undefined;

  /**
   * @param algorithm the digest algorithm that the caller will probably ask for
   * @param size bytes that are in the stage already
   * @param expected bytes that will arrive; 0 if unknown
   */
  constructor(stage: UploadStage, algorithm: string, size = 0, expected = 0) {
    this.stage = stage;
    this.#algorithm = algorithm;
    this.#followFrom = expected >= largeSize ? 0 : largeSize;
    this.#size = size;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds bytes.
   *
   * @param acknowledged the size to go back to if they cannot be written, so that a full disk gets space back
   */
  append(bytes: Uint8Array, acknowledged: number = this.#size): Promise<void> {
    if (this.#size === 0) this.#digester = new Digester(this.#algorithm);
    this.#digest = undefined;
    return this.#append(bytes, acknowledged, () => this.#digester?.update(bytes));
  }

  /** Adds bytes that are expected to be the only ones. If more follow, these are read again for their digest. */
  appendOnly(bytes: Uint8Array): Promise<void> {
    return this.#append(bytes, 0, () => {
      this.#digest = digestOf(bytes, this.#algorithm);
    });
  }

  async #append(bytes: Uint8Array, acknowledged: number, hash: () => void): Promise<void> {
    try {
      const appended = this.stage.append(bytes);
      // In parallel with the write.
      hash();
      await appended;
    } catch (error) {
      // The number of written bytes is unknown, so the stage must be read again for its digest.
      this.#forgetDigest();
      await this.truncate(acknowledged);
      throw error;
    }
    this.#size += bytes.length;
    this.#follow();
  }

  #follow(): void {
    if (this.#size < this.#followFrom || this.#following !== undefined || this.#digest !== undefined) return;
    this.#following = this.stage.follow?.(this.#algorithm);
    if (this.#following !== undefined) this.#digester = undefined;
  }

  /** Keeps only the first `size` bytes. */
  async truncate(size: number): Promise<void> {
    await this.stage.truncate(size);
    if (this.#size !== size) this.#forgetDigest();
    this.#size = size;
  }

  /** The digest of all bytes so far. */
  async digest(algorithm: string): Promise<Digest> {
    if (this.#size === 0) return digestOf(new Uint8Array(), algorithm);
    if (algorithm === this.#algorithm) {
      const found = this.#digest ?? this.#digester?.digest() ?? (await this.#following?.digest(this.#size));
      if (found !== undefined) return found;
    }
    const digester = new Digester(algorithm);
    for await (const piece of this.stage.read(this.#size)) digester.update(piece);
    return digester.digest();
  }

  #forgetDigest(): void {
    this.#digester = undefined;
    this.#digest = undefined;
    this.#following = undefined;
  }
}

/**
 * Writes a whole blob into a stage and verifies it.
 *
 * @returns its size in bytes
 * @throws RegistryError SIZE_INVALID or DIGEST_INVALID if the content is wrong
 */
export async function stageVerified(
  stage: UploadStage,
  expected: BlobIdentity,
  pieces: AsyncIterable<Uint8Array>,
): Promise<number> {
  const { digest, size = Infinity } = expected;
  const { algorithm } = splitDigest(digest);
  const bytes = new StagedBytes(stage, algorithm, 0, expected.size);
  for await (const piece of pieces) {
    await (bytes.size === 0 && piece.length === size ? bytes.appendOnly(piece) : bytes.append(piece));
    if (bytes.size > size) throw wrongSize(digest, size, bytes.size);
  }
  if (size !== Infinity && bytes.size !== size) throw wrongSize(digest, size, bytes.size);
  const found = await bytes.digest(algorithm);
  if (found !== digest) throw wrongDigest(digest, found);
  return bytes.size;
}

import { digestOf, Digester, splitDigest, wrongDigest, wrongSize } from '../../model/index.ts';
import type { BlobIdentity, Digest } from '../../model/index.ts';
import type { BlobStage, StageDigest } from '../blobs/index.ts';

/** From this size on, a stage that can is to compute the digest by itself: below it, that takes longer to set up. */
const largeSize = 4 * 1024 * 1024;

/** Where bytes are until they become a blob. What makes them one is a step of the store's, or of a {@link BlobStage} itself. */
export type UploadStage = Omit<BlobStage, 'keep'>;

/** The bytes of a blob on their way into a stage, and their digest. */
export class StagedBytes {
  readonly stage: UploadStage;
  readonly #algorithm: string;
  /** Bytes from which on the stage is to compute the digest. */
  readonly #followFrom: number;
  #size: number;
  /** Of all bytes; undefined if they have to be read for it, or the stage computes it. */
  #digester: Digester | undefined;
  /** Of all bytes, if they came in one piece. */
  #digest: Digest | undefined;
  #following: StageDigest | undefined;

  /**
   * @param algorithm what their digest is likely to be asked for with
   * @param size bytes that are there already
   * @param expected bytes that it is going to be, if that is known
   */
  constructor(stage: UploadStage, algorithm: string, size = 0, expected = 0) {
    this.stage = stage;
    this.#algorithm = algorithm;
    this.#followFrom = expected >= largeSize ? 0 : largeSize;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** @param acknowledged bytes that it goes back to if these cannot be kept: a full disk has room again */
  append(bytes: Uint8Array, acknowledged: number = this.#size): Promise<void> {
    if (this.#size === 0) this.#digester = new Digester(this.#algorithm);
    this.#digest = undefined;
    return this.#append(bytes, acknowledged, () => this.#digester?.update(bytes));
  }

  /** The only bytes that are going to come. Should there be more after all, these have to be read again. */
  appendOnly(bytes: Uint8Array): Promise<void> {
    return this.#append(bytes, 0, () => {
      this.#digest = digestOf(bytes, this.#algorithm);
    });
  }

  async #append(bytes: Uint8Array, acknowledged: number, hash: () => void): Promise<void> {
    try {
      const appended = this.stage.append(bytes);
      // While it is being written.
      hash();
      await appended;
    } catch (error) {
      // How much was written is not known: what is there now has to be read for its digest.
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

  async truncate(size: number): Promise<void> {
    await this.stage.truncate(size);
    if (this.#size !== size) this.#forgetDigest();
    this.#size = size;
  }

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
 * Puts a whole blob into a stage.
 *
 * @returns its size
 * @throws RegistryError SIZE_INVALID, DIGEST_INVALID if it is not what it ought to be
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

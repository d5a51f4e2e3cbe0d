import type { BlobContent, BlobIdentity, ByteRange, CallOptions, Digest } from '../../model/index.ts';

export interface BlobGetOptions extends CallOptions {
  /** What lies past the blob's end is cut off; {@link createContent} does that. */
  range?: ByteRange | undefined;
}

/**
 * Where the bytes of blobs are kept. Only `get` is needed; each method is told the repository, and may or may not care.
 *
 * A method that knows that the content is found elsewhere rejects with a {@link RedirectError}: a GET or HEAD is
 * answered with that redirect.
 *
 * @example
 * const bucket: BlobStore = {
 *   async get(repository, digest, { range }) {
 *     const bytes = await download(digest); // or: throw new RedirectError(signedUrl(digest))
 *     if (bytes === undefined) throw new RegistryError('BLOB_UNKNOWN', `${digest} is not in the bucket`);
 *     const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
 *     return createContent({ descriptor, range, source: { pieces: [bytes] } });
 *   },
 * };
 */
export interface BlobStore {
  /** Rejects with BLOB_UNKNOWN. */
  get(repository: string, digest: Digest, options: BlobGetOptions): Promise<BlobContent>;
  /** The size in bytes; without this method `get` is asked. Rejects with BLOB_UNKNOWN. */
  stat?(repository: string, digest: Digest, options: CallOptions): Promise<{ size: number }>;
  /**
   * Stores a blob; without this method pushes are UNSUPPORTED. The content is verified as it is read: reading it to
   * the end without an error is the proof. If reading fails, nothing may be kept, and the error is to be passed on.
   * A blob that is there already is written again: it may be damaged.
   */
  put?(repository: string, blob: BlobIdentity, content: AsyncIterable<Uint8Array>, options: CallOptions): Promise<void>;
  /** Without this method deletes are UNSUPPORTED. Rejects with BLOB_UNKNOWN. */
  delete?(repository: string, digest: Digest, options: CallOptions): Promise<void>;
  /** Where an upload collects its bytes; without this method they are kept in memory until they are `put`. */
  stage?(repository: string): BlobStage;
}

/** The bytes of an upload until they become a blob. Its methods are called one after another. */
export interface BlobStage {
  /** Copies or writes the bytes: their buffer may be used again afterwards. */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Begins to compute the digest of all bytes beside the appending, also of those that are there already. It ends with
   * `truncate`, `keep` and `discard`.
   *
   * @returns undefined if it is not worth while now
   */
  follow?(algorithm: string): StageDigest | undefined;
  /** Forgets what lies behind the first `size` bytes. */
  truncate(size: number): Promise<void>;
  /** What was appended so far, as a content of that many bytes. */
  read(size: number, range?: ByteRange): BlobContent;
  /** What was appended is going to be acknowledged: it must be where it stays. Lets go of what is open; `append` opens it again. */
  release(): Promise<void>;
  /** Makes the bytes the blob. They have been verified. */
  keep(repository: string, digest: Digest): Promise<void>;
  discard(): Promise<void>;
}

/** A digest that a {@link BlobStage} computes by itself. */
export interface StageDigest {
  /** Of the first `size` bytes, which are all that were appended; undefined if it could not be computed. */
  digest(size: number): Promise<Digest | undefined>;
}

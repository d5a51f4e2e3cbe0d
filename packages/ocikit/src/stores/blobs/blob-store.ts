// The BlobStore interface: a place for the bytes of a registry's blobs.
import type { BlobContent, BlobIdentity, ByteRange, CallOptions, Digest } from '../../model/index.ts';

/** Options of {@link BlobStore.get}. */
export interface BlobGetOptions extends CallOptions {
  /** The part of the blob to read. Pass it to {@link createContent}, which shortens it at the blob's end. */
  range?: ByteRange | undefined;
  /**
   * Several parts of the blob, in place of `range`. Pass them to {@link createPartsContent}. A store that ignores them
   * returns the whole blob, and is then asked for the parts one by one.
   */
  ranges?: readonly ByteRange[] | undefined;
}

/**
 * A place for the bytes of blobs, such as memory, a directory or a bucket. Only `get` is required. Each method receives
 * the repository, and may ignore it.
 *
 * A method rejects with a {@link RedirectError} if the content can only be fetched from another place. A server sends
 * GET and HEAD requests there.
 *
 * @example
 * const bucket: BlobStore = {
 *   async get(repository, digest, { range }) {
 *     const bytes = await download(digest); // or: throw new RedirectError(signedUrl(digest))
 *     if (bytes === undefined) throw blobUnknown(repository, digest);
 *     const descriptor = blobDescriptor(digest, bytes.length);
 *     return createContent({ descriptor, range, source: { pieces: [bytes] } });
 *   },
 * };
 * const registry = createMemoryRegistry({ blobs: bucket });
 */
export interface BlobStore {
  /** Opens a blob for reading. Rejects with BLOB_UNKNOWN. */
  get(repository: string, digest: Digest, options: BlobGetOptions): Promise<BlobContent>;
  /** The size of a blob in bytes. Without this method, `get` is called. Rejects with BLOB_UNKNOWN. */
  stat?(repository: string, digest: Digest, options: CallOptions): Promise<{ size: number }>;
  /**
   * Stores a blob. Without this method, pushes reject with UNSUPPORTED.
   *
   * The content is verified while it is read: if it can be read to its end without an error, it is correct. If reading
   * fails, keep nothing and reject with that error. Write a blob that exists already again, as it may be damaged.
   */
  put?(repository: string, blob: BlobIdentity, content: AsyncIterable<Uint8Array>, options: CallOptions): Promise<void>;
  /** Deletes a blob. Without this method, deleting rejects with UNSUPPORTED. Rejects with BLOB_UNKNOWN. */
  delete?(repository: string, digest: Digest, options: CallOptions): Promise<void>;
  /** Starts collecting the bytes of an upload. Without this method, they are kept in memory until they are `put`. */
  stage?(repository: string): BlobStage;
}

/** The bytes of an upload until they become a blob. One method is called at a time. */
export interface BlobStage {
  /** Adds bytes. It must copy or write them, because the caller may reuse their buffer. */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Starts computing the digest of all bytes, including those that were appended before, while more are appended.
   * `truncate`, `keep` and `discard` end it.
   *
   * @returns undefined if this stage does not compute it now
   */
  follow?(algorithm: string): StageDigest | undefined;
  /** Keeps only the first `size` bytes. */
  truncate(size: number): Promise<void>;
  /** The bytes that were appended so far, which are `size` bytes. */
  read(size: number, range?: ByteRange): BlobContent;
  /**
   * Makes the bytes durable, because they will be acknowledged to the client, and closes the file. `append` opens it
   * again.
   */
  release(): Promise<void>;
  /** Stores the bytes as the blob with this digest. The caller has verified them. */
  keep(repository: string, digest: Digest): Promise<void>;
  /** Discards the bytes. */
  discard(): Promise<void>;
}

/** A digest that a {@link BlobStage} computes while bytes are appended. */
export interface StageDigest {
  /** The digest of all bytes, which are `size` bytes; undefined if it could not be computed. */
  digest(size: number): Promise<Digest | undefined>;
}

// The Registry interface, which stores, views and clients implement and which servers and tools use.

/// <reference lib="esnext.disposable" preserve="true" />
import type { CallOptions, ListOptions } from './call.ts';
import type { BlobContent, ByteRange } from './content.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { history } from './history.ts';
import type { History } from './history.ts';
import { maintenance } from './maintenance.ts';
import type { Maintenance } from './maintenance.ts';
import type { BlobSource } from './source.ts';
import type { TagCondition } from './tag-condition.ts';

/**
 * A registry: repositories, each with blobs, manifests and tags.
 *
 * Stores, views and clients implement this interface. Servers and tools use it and need to know nothing else.
 *
 * Every method rejects with a {@link RegistryError}. Its documentation names the codes that are its own. Every method
 * may also reject with:
 *
 * - NAME_INVALID: the repository's name is malformed
 * - MANIFEST_INVALID: the tag is malformed
 * - DIGEST_INVALID: the digest is malformed, or its algorithm is not registered
 * - UNAUTHORIZED, DENIED: this caller may not do this
 * - TOOMANYREQUESTS, UNAVAILABLE: the registry cannot do this now; try again later
 * - UNSUPPORTED: the registry cannot do this at all
 * - the reason of `signal`, if the signal is aborted
 *
 * A repository exists as soon as content is stored in it, and is gone when its last content is deleted.
 *
 * @example
 * const registry: Registry = createMemoryRegistry();
 * const config = new TextEncoder().encode('{}');
 * const { digest } = await registry.pushBlob('team/app', { digest: digestOf(config) }, config);
 * const content = await registry.getBlob('team/app', digest);
 * console.log(await content.bytes());
 */
export interface Registry extends Reader, Writer, Deleter, Lister {
  /** Garbage collection and checks, if the registry offers them; see {@link maintenanceOf}. */
  readonly [maintenance]?: Maintenance | undefined;
  /** How tags moved, if the registry records it; see {@link historyOf}. */
  readonly [history]?: History | undefined;
  /**
   * True if this process computes the digest of everything that is pushed to this registry. A caller that copies
   * content into it need not verify the content again.
   */
  readonly [verifiesPushes]?: true | undefined;
}

/** A manifest: an image, an index or an artifact. */
export interface Manifest {
  /** The manifest's media type, digest and size. */
  descriptor: Descriptor;
  /** The exact bytes that were pushed. */
  bytes: Uint8Array;
}

/** Options of {@link Reader.getBlob}. */
export interface GetBlobOptions extends CallOptions {
  /** The part of the blob to read. Default: all of it. A part that extends past the blob's end is shortened. */
  range?: ByteRange | undefined;
  /**
   * Several parts of the blob, in place of `range`: the content is the parts one after the other, and its `parts` name
   * them. A client asks for all of them in one request. A registry that does not know this option returns the whole
   * blob, without `parts`: call {@link getBlobParts}, which then reads the ranges one by one.
   */
  ranges?: readonly ByteRange[] | undefined;
  /**
   * `false`: the caller compares the content with the digest, so a client does not. Stores ignore this option.
   * Default: true.
   */
  verify?: boolean | undefined;
  /**
   * Bytes of the whole blob, if the caller knows them from a manifest. A client needs them where a response does not
   * say how long it is. Stores ignore this option. Default: unknown.
   */
  size?: number | undefined;
}

/** Options of {@link Reader.resolveBlob}. */
export interface ResolveBlobOptions extends CallOptions {
  /**
   * Bytes of the blob, if the caller knows them from a manifest: the answer of a registry that names no size. Stores
   * ignore this option. Default: unknown.
   */
  size?: number | undefined;
}

/**
 * Reading content. Distribution specification, "Pull".
 *
 * A method rejects with a {@link RedirectError} if the content exists but can only be fetched from another place.
 */
export interface Reader {
  /**
   * Opens a blob, or a part of it, for reading. A client verifies a blob that is read in full. A store does not
   * compute the digest again.
   *
   * A registry may answer without a length. If the caller does not give `size` either, the content's `descriptor.size`
   * and the end of its range are `Infinity`: the bytes are counted while they are read.
   *
   * Rejects with BLOB_UNKNOWN or NAME_UNKNOWN; RANGE_INVALID if the range is not made of whole numbers of at least 0.
   */
  getBlob(repository: string, digest: Digest, options?: GetBlobOptions): Promise<BlobContent>;
  /** Reads the manifest with this digest. Rejects with MANIFEST_UNKNOWN or NAME_UNKNOWN. */
  getManifest(repository: string, digest: Digest, options?: CallOptions): Promise<Manifest>;
  /** Reads the manifest that this tag points to. Rejects with MANIFEST_UNKNOWN or NAME_UNKNOWN. */
  getTag(repository: string, tag: string, options?: CallOptions): Promise<Manifest>;
  /**
   * Describes a blob without reading it. The media type is always `application/octet-stream`. The call counts as a
   * use of the blob, because a client that finds a blob here does not push it again.
   *
   * Rejects with BLOB_UNKNOWN or NAME_UNKNOWN.
   */
  resolveBlob(repository: string, digest: Digest, options?: ResolveBlobOptions): Promise<Descriptor>;
  /**
   * Describes a manifest without reading it. The call counts as a use of the manifest.
   *
   * Rejects with MANIFEST_UNKNOWN or NAME_UNKNOWN.
   */
  resolveManifest(repository: string, digest: Digest, options?: CallOptions): Promise<Descriptor>;
  /** Describes the manifest that this tag points to. Rejects with MANIFEST_UNKNOWN or NAME_UNKNOWN. */
  resolveTag(repository: string, tag: string, options?: CallOptions): Promise<Descriptor>;
}

/** The digest, and if known the size, that a pushed blob must have. */
export interface BlobIdentity {
  /** The digest of the whole blob. */
  digest: Digest;
  /** Bytes. Default: the size is not compared. */
  size?: number | undefined;
}

/** Options of {@link Writer.startUpload} and {@link Writer.mountBlob}. */
export interface UploadOptions extends CallOptions {
  /** Bytes that the caller would like to send at a time. The upload may ask for more. */
  chunkSize?: number | undefined;
  /** The algorithm of the digest that the upload will be committed with. Default: `sha256`. */
  algorithm?: string | undefined;
}

/** Options of {@link Writer.resumeUpload}. */
export interface ResumeOptions extends CallOptions {
  /**
   * The byte at which the caller resumes, or `end` for the upload's present size. Both save a request to a remote
   * registry. Default: the registry is asked for the size.
   */
  offset?: number | 'end' | undefined;
}

/**
 * The source of a mount: a repository, or a function that accepts or rejects each repository that has the blob. With a
 * function, a view can limit a mount to the repositories that its callers may read.
 */
export type MountSource = string | ((repository: string) => boolean | Promise<boolean>);

/** The result of a mount: the mounted blob, or a new upload through which the caller can send it. */
export type MountResult =
  | { descriptor: Descriptor; upload?: undefined }
  | { descriptor?: undefined; upload: BlobUpload };

/** Options of {@link Writer.pushManifest}. */
export interface PushManifestOptions extends CallOptions {
  /** The digest that the bytes must have. Its algorithm becomes that of the manifest. Default: `sha256` is used. */
  digest?: Digest | undefined;
  /** Tags to set: all of them, or none if the push fails. */
  tags?: readonly string[] | undefined;
  /**
   * Set the tags only if each of them points to this digest now; null: only if none of them exists. A map names the
   * digest of each tag, or null; other tags have no condition.
   */
  ifTag?: TagCondition | undefined;
}

/** The result of {@link Writer.pushManifest}. */
export interface PushedManifest {
  /** The manifest's media type, digest and size. */
  descriptor: Descriptor;
  /** The tags that point to the manifest because of this push. */
  tags: readonly string[];
  /** The digest of the manifest's subject, if the registry will list the manifest as a referrer of it. */
  subject?: Digest | undefined;
}

/** Storing content. Distribution specification, "Push". All content is verified before it is stored. */
export interface Writer {
  /**
   * Stores a blob. If the blob exists already, the bytes are verified as well, and replace a damaged copy.
   *
   * Rejects with DIGEST_INVALID or SIZE_INVALID if the bytes do not match `blob`; then nothing is stored.
   */
  pushBlob(repository: string, blob: BlobIdentity, source: BlobSource, options?: CallOptions): Promise<Descriptor>;
  /** Starts an upload. Rejects with TOOMANYREQUESTS if too many uploads are in progress. */
  startUpload(repository: string, options?: UploadOptions): Promise<BlobUpload>;
  /**
   * Resumes an upload to this repository.
   *
   * Rejects with BLOB_UPLOAD_UNKNOWN if this repository has no upload with this id, or the upload has ended;
   * RANGE_INVALID if the upload's size is not `offset`.
   */
  resumeUpload(repository: string, id: string, options?: ResumeOptions): Promise<BlobUpload>;
  /**
   * Adds a blob of another repository to this one without sending it. If the blob is not found there, starts an upload.
   *
   * @param from undefined: any repository. An implementation that cannot call a function before it mounts, such as a
   *   client, starts an upload instead
   */
  mountBlob(
    from: MountSource | undefined,
    repository: string,
    digest: Digest,
    options?: UploadOptions,
  ): Promise<MountResult>;
  /**
   * Stores a manifest and sets its tags: both, or neither. The subject need not exist. All other content that the
   * manifest names must exist, unless its descriptor has `urls` or the registry is sparse.
   *
   * Rejects with MANIFEST_INVALID or UNSUPPORTED_MEDIA_TYPE; MANIFEST_BLOB_UNKNOWN if named content is missing;
   * DIGEST_INVALID if the bytes do not match `digest`; PRECONDITION_FAILED if `ifTag` does not hold; DENIED if a tag is
   * immutable.
   */
  pushManifest(
    repository: string,
    bytes: Uint8Array,
    mediaType: string,
    options?: PushManifestOptions,
  ): Promise<PushedManifest>;
}

/** Options of {@link BlobUpload.append}. */
export interface AppendOptions extends CallOptions {
  /** The position of the first byte. The call rejects with RANGE_INVALID if the upload has another size. */
  at?: number | undefined;
  /** Bytes of the source. If it ends with more or fewer, the call rejects with SIZE_INVALID and appends nothing. */
  size?: number | undefined;
}

/** Options of {@link BlobUpload.commit}. */
export interface CommitOptions extends AppendOptions {
  /**
   * The last bytes, appended in the same step; `at` and `size` describe them. If the source fails in the middle, the
   * bytes that arrived are kept only if `at` is given. Without `at`, the caller is expected to send all of them again.
   */
  source?: BlobSource | undefined;
}

/**
 * A blob that is sent in several parts. Distribution specification, "Pushing a blob in chunks".
 *
 * Call one method at a time: a call during another one rejects with BLOB_UPLOAD_INVALID.
 *
 * @example
 * const upload = await registry.startUpload('team/app');
 * for (const part of parts) await upload.append(part);
 * const descriptor = await upload.commit(digest);
 */
export interface BlobUpload extends AsyncDisposable {
  /** The value for {@link Writer.resumeUpload}, read after the last `append`. Opaque: it may be a URL. */
  readonly id: string;
  /** Bytes that the registry has. Undefined until the first `append` if the upload was resumed with `offset: 'end'`. */
  readonly size: number | undefined;
  /** The least number of bytes for every `append` but the last, if there is one. */
  readonly minimumChunk?: number | undefined;
  /**
   * Adds bytes. If their source fails in the middle, the bytes that arrived are kept, and `size` counts them.
   *
   * Rejects with RANGE_INVALID, SIZE_INVALID or BLOB_UPLOAD_UNKNOWN.
   *
   * @returns the new size in bytes
   */
  append(source: BlobSource, options?: AppendOptions): Promise<number>;
  /**
   * Stores the bytes as a blob and ends the upload.
   *
   * Rejects with DIGEST_INVALID if the bytes do not match the digest; the upload is then as it was before the call.
   */
  commit(digest: Digest, options?: CommitOptions): Promise<Descriptor>;
  /** Releases the upload's resources. The upload can still be resumed. `await using` calls this. */
  close(): Promise<void>;
  /** Ends the upload and discards its bytes. May be called more than once. Does nothing after `commit`. */
  cancel(options?: CallOptions): Promise<void>;
  /** Reads the bytes that were sent before this call, if the registry can; also during an `append`. */
  read?(range?: ByteRange): BlobContent;
}

/** Options of {@link Deleter.deleteTag}. */
export interface DeleteTagOptions extends CallOptions {
  /** Delete the tag only if it points to this digest now. */
  ifTag?: Digest | undefined;
}

/**
 * Deleting content. Distribution specification, "Content Management".
 *
 * If tags are immutable, deleting a tag rejects with UNSUPPORTED, and deleting content that a tag needs with DENIED.
 */
export interface Deleter {
  /** Removes the blob from this repository. Other repositories keep it. Rejects with BLOB_UNKNOWN or NAME_UNKNOWN. */
  deleteBlob(repository: string, digest: Digest, options?: CallOptions): Promise<void>;
  /**
   * Removes the manifest and its tags. The content that it names is kept.
   *
   * Rejects with MANIFEST_UNKNOWN or NAME_UNKNOWN.
   */
  deleteManifest(repository: string, digest: Digest, options?: CallOptions): Promise<void>;
  /**
   * Removes the tag. The manifest is kept.
   *
   * Rejects with MANIFEST_UNKNOWN or NAME_UNKNOWN; PRECONDITION_FAILED if `ifTag` does not hold.
   */
  deleteTag(repository: string, tag: string, options?: DeleteTagOptions): Promise<void>;
}

/** Options of {@link Lister.referrers}. */
export interface ReferrersOptions extends ListOptions {
  /** Only the referrers of this artifact type. */
  artifactType?: string | undefined;
}

/** Listing, always in byte order. Distribution specification, "Content Discovery". */
export interface Lister {
  /** The names of the repositories. */
  repositories(options?: ListOptions): AsyncIterable<string>;
  /** The tags of a repository. Rejects with NAME_UNKNOWN. */
  tags(repository: string, options?: ListOptions): AsyncIterable<string>;
  /**
   * The manifests whose subject has this digest, ordered by their own digests. Each descriptor has the manifest's
   * `artifactType` and annotations. An unknown repository or subject gives an empty list, not an error.
   */
  referrers(repository: string, digest: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor>;
}

/** The key of {@link Registry}'s flag that it verifies all content that is pushed to it. Every store sets it. */
export const verifiesPushes: unique symbol = Symbol.for('ocikit.verifiesPushes');

/**
 * The maintenance that a registry offers; undefined if it offers none. Each view decides how much of it to pass on.
 *
 * @example
 * const usage = await maintenanceOf(registry)?.usage();
 */
export function maintenanceOf(registry: Registry): Maintenance | undefined {
  return registry[maintenance];
}

/**
 * The record of a registry's tag moves; undefined if it keeps none. Each view decides whether to pass it on.
 *
 * @example
 * for await (const move of historyOf(registry)?.moves('team/app') ?? []) console.log(move.tag, move.digest);
 */
export function historyOf(registry: Registry): History | undefined {
  return registry[history];
}

/// <reference lib="esnext.disposable" preserve="true" />
import type { CallOptions, ListOptions } from './call.ts';
import type { BlobContent, ByteRange } from './content.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { History, history } from './history.ts';
import type { Maintenance, maintenance } from './maintenance.ts';
import type { BlobSource } from './source.ts';

/**
 * A registry: repositories, each with blobs, manifests and tags. Stores, views and clients implement it; servers, views
 * and copying stand on it and know nothing more.
 *
 * Every method rejects with a {@link RegistryError}. Besides the codes that it names itself, it may reject with
 *
 * - NAME_INVALID: the repository's name is malformed; MANIFEST_INVALID: the tag is; DIGEST_INVALID: the digest is, or
 *   its algorithm is not registered
 * - UNAUTHORIZED, DENIED, TOOMANYREQUESTS, UNAVAILABLE: the registry does not let this caller do this, or not now
 * - UNSUPPORTED: the registry cannot do this at all
 * - whatever `signal` was aborted with
 *
 * A repository comes into being with the first content that is stored in it and is gone with the last.
 */
export interface Registry extends Reader, Writer, Deleter, Lister {
  /** Present if the registry can be maintained; see {@link maintenanceOf}. */
  readonly [maintenance]?: Maintenance | undefined;
  /** Present if the registry knows how its tags moved; see {@link historyOf}. */
  readonly [history]?: History | undefined;
  /** True if it computes the digest of all that is pushed to it, in this process: whoever copies need not verify it on the way. */
  readonly [verifiesPushes]?: true | undefined;
}

/** A manifest: an image, an index or an artifact, in the exact bytes in which it was pushed. */
export interface Manifest {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

export interface GetBlobOptions extends CallOptions {
  /** All of the blob if it is left out. What lies past its end is cut off. */
  range?: ByteRange | undefined;
  /**
   * `false`: the caller compares what it reads with the digest by itself, so that a client need not do it as well.
   * Default: true. To a store it makes no difference.
   */
  verify?: boolean | undefined;
}

/**
 * Pulling. Distribution specification, "Pull".
 *
 * A method that cannot read content here but knows where it is rejects with a {@link RedirectError}.
 */
export interface Reader {
  /**
   * The bytes of a blob, or a part of them. A store does not compute the digest again; a client verifies what it
   * reads in full.
   *
   * Rejects with BLOB_UNKNOWN, NAME_UNKNOWN; RANGE_INVALID if the range is not made of whole numbers from 0 up.
   */
  getBlob(repository: string, digest: Digest, options?: GetBlobOptions): Promise<BlobContent>;
  /** Rejects with MANIFEST_UNKNOWN, NAME_UNKNOWN. */
  getManifest(repository: string, digest: Digest, options?: CallOptions): Promise<Manifest>;
  /** Rejects with MANIFEST_UNKNOWN, NAME_UNKNOWN. */
  getTag(repository: string, tag: string, options?: CallOptions): Promise<Manifest>;
  /**
   * What is known of a blob without reading it; its media type is `application/octet-stream`. Counts as a use: a
   * client that sees it here will not push it again.
   *
   * Rejects with BLOB_UNKNOWN, NAME_UNKNOWN.
   */
  resolveBlob(repository: string, digest: Digest, options?: CallOptions): Promise<Descriptor>;
  /** Counts as a use. Rejects with MANIFEST_UNKNOWN, NAME_UNKNOWN. */
  resolveManifest(repository: string, digest: Digest, options?: CallOptions): Promise<Descriptor>;
  /** Rejects with MANIFEST_UNKNOWN, NAME_UNKNOWN. */
  resolveTag(repository: string, tag: string, options?: CallOptions): Promise<Descriptor>;
}

/** What a blob that is pushed has to be. */
export interface BlobIdentity {
  digest: Digest;
  /** Bytes; not compared if it is left out. */
  size?: number | undefined;
}

export interface UploadOptions extends CallOptions {
  /** How many bytes the caller would like to send at a time; the upload may ask for more. */
  chunkSize?: number | undefined;
  /** The algorithm of the digest that the upload will be committed with; `sha256` if it is left out. */
  algorithm?: string | undefined;
}

export interface ResumeOptions extends CallOptions {
  /**
   * Where the caller goes on, in bytes; `end`: wherever it stands. Both save asking a registry that is far away.
   * If it is left out, the registry is asked.
   */
  offset?: number | 'end' | undefined;
}

/**
 * Where a blob may be mounted from: a repository, or any of those that have the blob and for which the function gives true.
 * So can a view keep a mount to what its callers may read.
 */
export type MountSource = string | ((repository: string) => boolean | Promise<boolean>);

/** What came of a mount: the blob is there, or an upload has begun through which it can be sent. */
export type MountResult =
  | { descriptor: Descriptor; upload?: undefined }
  | { descriptor?: undefined; upload: BlobUpload };

export interface PushManifestOptions extends CallOptions {
  /** The digest that the bytes have to have. Its algorithm names the manifest; `sha256` if it is left out. */
  digest?: Digest | undefined;
  /** Tags to set, all or none. */
  tags?: readonly string[] | undefined;
  /** Set the tags only if each of them is at this digest now; null: only if none of them exists. */
  ifTag?: Digest | null | undefined;
}

export interface PushedManifest {
  descriptor: Descriptor;
  /** The tags that are set now. */
  tags: readonly string[];
  /** The manifest's subject, if it has one and the registry will list the manifest as its referrer. */
  subject?: Digest | undefined;
}

/** Pushing. Distribution specification, "Push". Everything that is stored has been verified. */
export interface Writer {
  /**
   * Stores a blob. Bytes for a blob that exists are verified as well, and take the place of a damaged one.
   *
   * Rejects with DIGEST_INVALID or SIZE_INVALID if the bytes are not what `blob` says; nothing is stored then.
   */
  pushBlob(repository: string, blob: BlobIdentity, source: BlobSource, options?: CallOptions): Promise<Descriptor>;
  /** Begins an upload. Rejects with TOOMANYREQUESTS if too many are under way. */
  startUpload(repository: string, options?: UploadOptions): Promise<BlobUpload>;
  /**
   * Goes on with an upload of this repository.
   *
   * Rejects with BLOB_UPLOAD_UNKNOWN if there is none of this id, or not in this repository, or it has ended;
   * RANGE_INVALID if it does not stand at `offset`.
   */
  resumeUpload(repository: string, id: string, options?: ResumeOptions): Promise<BlobUpload>;
  /**
   * Makes a blob of another repository one of this repository, without sending it.
   *
   * @param from any repository if it is undefined. Who cannot ask a function before the blob is mounted begins an upload
   * @returns an upload to go on with if the blob is not found there
   */
  mountBlob(
    from: MountSource | undefined,
    repository: string,
    digest: Digest,
    options?: UploadOptions,
  ): Promise<MountResult>;
  /**
   * Stores a manifest and sets tags, all or nothing. Its subject need not exist; what else it names has to, unless the
   * descriptor has `urls` or the registry is sparse.
   *
   * Rejects with MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, UNSUPPORTED_MEDIA_TYPE; DIGEST_INVALID if the bytes do not
   * have `digest`; PRECONDITION_FAILED if `ifTag` does not hold; DENIED if a tag is immutable.
   */
  pushManifest(
    repository: string,
    bytes: Uint8Array,
    mediaType: string,
    options?: PushManifestOptions,
  ): Promise<PushedManifest>;
}

export interface AppendOptions extends CallOptions {
  /** Where the bytes belong; RANGE_INVALID if the upload does not stand there. */
  at?: number | undefined;
  /** How many bytes the source has; SIZE_INVALID if it ends with more or fewer, and nothing is appended then. */
  size?: number | undefined;
}

export interface CommitOptions extends AppendOptions {
  /**
   * The last bytes, in the same step. `at` and `size` speak of them. If the source fails in the middle, what came before
   * stays only if `at` is given: who does not say where the bytes belong will send all of them again.
   */
  source?: BlobSource | undefined;
}

/**
 * A blob that is sent piece by piece. Distribution specification, "Pushing a blob in chunks".
 * Its methods are called one after another; a call beside a running one rejects with BLOB_UPLOAD_INVALID.
 */
export interface BlobUpload extends AsyncDisposable {
  /** For {@link Writer.resumeUpload}, after the last `append`. Opaque: it may be a URL. */
  readonly id: string;
  /** Bytes that the registry has. Undefined until the first `append` if the registry was not asked (`offset: 'end'`). */
  readonly size: number | undefined;
  /** Every `append` but the last has to have as many bytes, if there is a minimum. */
  readonly minimumChunk?: number | undefined;
  /**
   * Adds bytes. If their source fails in the middle, what came before stays and `size` says how much.
   *
   * Rejects with RANGE_INVALID, SIZE_INVALID, BLOB_UPLOAD_UNKNOWN.
   *
   * @returns the new size
   */
  append(source: BlobSource, options?: AppendOptions): Promise<number>;
  /**
   * Makes the bytes a blob and ends the upload.
   *
   * Rejects with DIGEST_INVALID if they do not have this digest: the upload is then as it was before the call.
   */
  commit(digest: Digest, options?: CommitOptions): Promise<Descriptor>;
  /** Lets go of it; it can be resumed. Also what `await using` does. */
  close(): Promise<void>;
  /** Gives up what was sent. May be called more than once; does nothing after `commit`. */
  cancel(options?: CallOptions): Promise<void>;
  /** Reads what was sent so far, where the registry can; also beside a running `append`, and then what was there at the call. */
  read?(range?: ByteRange): BlobContent;
}

export interface DeleteTagOptions extends CallOptions {
  /** Delete the tag only if it is at this digest now. */
  ifTag?: Digest | undefined;
}

/**
 * Deleting. Distribution specification, "Content Management". Where tags are immutable, deleting one rejects with
 * UNSUPPORTED, and deleting what one reaches with DENIED.
 */
export interface Deleter {
  /** Other repositories keep the blob. Rejects with BLOB_UNKNOWN, NAME_UNKNOWN. */
  deleteBlob(repository: string, digest: Digest, options?: CallOptions): Promise<void>;
  /** Its tags go with it; what it names stays. Rejects with MANIFEST_UNKNOWN, NAME_UNKNOWN. */
  deleteManifest(repository: string, digest: Digest, options?: CallOptions): Promise<void>;
  /** The manifest stays. Rejects with MANIFEST_UNKNOWN, NAME_UNKNOWN; PRECONDITION_FAILED if `ifTag` does not hold. */
  deleteTag(repository: string, tag: string, options?: DeleteTagOptions): Promise<void>;
}

export interface ReferrersOptions extends ListOptions {
  /** Only those of this type. */
  artifactType?: string | undefined;
}

/** Listing, always in byte order. Distribution specification, "Content Discovery". */
export interface Lister {
  repositories(options?: ListOptions): AsyncIterable<string>;
  /** Rejects with NAME_UNKNOWN. */
  tags(repository: string, options?: ListOptions): AsyncIterable<string>;
  /**
   * The manifests whose subject has this digest, in byte order of their digests, with their `artifactType` and
   * annotations. None if nothing is known of the repository or of the subject: that is no error.
   */
  referrers(repository: string, digest: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor>;
}

/** The key by which a registry says that nothing wrong gets into it, whoever it comes from: stores do. */
export const verifiesPushes: unique symbol = Symbol.for('ocikit.verifiesPushes');

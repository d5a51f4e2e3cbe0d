// The maintenance that a registry may offer: garbage collection, checks, eviction and retention are built on it.

/// <reference lib="esnext.disposable" preserve="true" />
import type { CallOptions, ListOptions } from './call.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';

/** The key under which a registry offers its {@link Maintenance}. */
export const maintenance: unique symbol = Symbol.for('ocikit.maintenance');

/** Properties of all stored content. */
interface Stored {
  /** Bytes. */
  size: number;
  /** When it was stored. */
  createdAt: Date;
  /** The time of the last push, read, HEAD or mount, or of the last push of a manifest that names this content. */
  usedAt: Date;
}

/**
 * A manifest that the repository's records list. Its bytes may be missing nevertheless; then both times may be the
 * start of 1970.
 */
export interface StoredManifest extends Stored {
  /** The manifest's media type, digest and size. */
  descriptor: Descriptor;
  /** The tags that point to the manifest. */
  tags: readonly string[];
  /**
   * True if the manifest stays without a tag, with all that it reaches: another tool wrote an index entry for it that
   * is not the entry of a tag. Default: false.
   */
  isPinned?: boolean | undefined;
}

/** A blob of a repository. */
export interface StoredBlob extends Stored {
  /** The blob's digest and size; the media type is `application/octet-stream`. */
  descriptor: Descriptor;
}

/** An upload that holds bytes. */
export interface StoredUpload extends Stored {
  /** The value for `resumeUpload`. */
  id: string;
  /** Undefined if unknown: an earlier process left the upload, and no client has resumed it since. */
  repository: string | undefined;
}

/** Content that belongs to no repository. A crash in the middle of a push or of a removal can leave some. */
export interface StoredOrphan extends Stored {
  /** The digest that the content was stored under. */
  digest: Digest;
}

/** Options of {@link Maintenance.removeUnused} and {@link Maintenance.removeOrphan}. */
export interface RemovalOptions {
  /** Keep content that was used at this time or later. */
  unusedSince: Date;
}

/** The place of a collection, for the next one if this one is killed. It is a hint: losing it does no harm. */
export interface Bookmark {
  /** The text that was written last; undefined if there is none, or it cannot be read. */
  read(): Promise<string | undefined>;
  /** Writes a short text, or removes it. Does not fail: a collection makes room on a full disk. */
  write(text: string | undefined): Promise<void>;
}

/** How much a registry holds. */
export interface Usage {
  /** The number of repositories. */
  repositories: number;
  /** The number of manifests. A store may count one that several repositories have once, or once for each. */
  manifests: number;
  /** The number of blobs. A store may count one that several repositories have once, or once for each. */
  blobs: number;
  /** The number of uploads that hold bytes. */
  uploads: number;
  /** Bytes of all content, each digest counted once, and of all uploads. */
  size: number;
}

/**
 * The operations that garbage collection, checks, eviction and retention are built on. None of them counts as a use of
 * content.
 *
 * Lists are in byte order and are read while they are iterated: content that is added or removed meanwhile may or may
 * not appear. Listing lets other work run in between. Memory grows with at most the digests of one repository.
 *
 * Get it with {@link maintenanceOf}.
 */
export interface Maintenance {
  /** The manifests of a repository. Rejects with NAME_UNKNOWN. */
  manifests(repository: string, options?: ListOptions): AsyncIterable<StoredManifest>;
  /**
   * The blobs of a repository. Includes blobs whose bytes are damaged, and recorded blobs whose bytes are missing.
   *
   * Rejects with NAME_UNKNOWN.
   */
  blobs(repository: string, options?: ListOptions): AsyncIterable<StoredBlob>;
  /**
   * The uploads that hold bytes.
   *
   * @param repository undefined: the uploads of all repositories, also of those without content
   */
  uploads(repository: string | undefined, options?: ListOptions): AsyncIterable<StoredUpload>;
  /**
   * The content that belongs to no repository, in any order. Empty if the registry cannot have any, and for a view that
   * shows a part of a registry.
   */
  orphans(options?: CallOptions): AsyncIterable<StoredOrphan>;
  /**
   * The bytes of a manifest, without comparing them with the digest.
   *
   * Rejects with MANIFEST_UNKNOWN, also if only the bytes are missing; NAME_UNKNOWN.
   */
  readManifest(repository: string, digest: Digest, options?: CallOptions): Promise<Uint8Array>;
  /** Reads a blob or manifest and compares it with its digest. */
  verify(repository: string, digest: Digest, options?: CallOptions): Promise<'ok' | 'missing' | 'corrupt'>;
  /**
   * Removes a blob or manifest from the repository, unless it was used since, is leased, is pinned or has a
   * tag.
   *
   * Atomic against pushes, mounts and HEAD requests: after a client is told that content exists, it is not removed.
   * The push of a manifest keeps the content that it names for as long as the push runs, and counts as a use of it.
   *
   * @returns true if it was removed
   */
  removeUnused(repository: string, digest: Digest, options: RemovalOptions): Promise<boolean>;
  /**
   * Removes content that {@link Maintenance.orphans} listed, unless it was used since or belongs to a repository now.
   *
   * @returns true if it was removed
   */
  removeOrphan(digest: Digest, options: RemovalOptions): Promise<boolean>;
  /**
   * Takes damaged content out of use, and keeps its bytes aside if the registry has a place for them. Every repository
   * that shared the content is then without it. Manifests and tags that name it stay; pushing it again repairs them.
   * Computes the digest first, and does nothing if it matches.
   *
   * @returns true if the content was damaged and is no longer in use
   */
  quarantine(repository: string, digest: Digest): Promise<boolean>;
  /** Protects content from {@link Maintenance.removeUnused} until the result is disposed. It need not exist yet. */
  lease(repository: string, digests: Iterable<Digest>): Promise<AsyncDisposable>;
  /**
   * The files of the registry itself, beside its repositories, that are damaged: a message for each, which names the
   * file and says what to do. A registry without such files need not have this method.
   */
  problems?(options?: CallOptions): AsyncIterable<string>;
  /** Keeps the place where a collection stopped. A registry that does not outlive its process need not have this. */
  bookmark?: Bookmark | undefined;
  /** Counts all content. */
  usage(): Promise<Usage>;
}

/// <reference lib="esnext.disposable" preserve="true" />
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { CallOptions, ListOptions } from './call.ts';
import type { Registry } from './registry.ts';

/** The key under which a registry offers its {@link Maintenance}. */
export const maintenance: unique symbol = Symbol.for('ocikit.maintenance');

/** How a registry is maintained, if it can be. A view decides by itself what of it to pass on. */
export function maintenanceOf(registry: Registry): Maintenance | undefined {
  return registry[maintenance];
}

interface Stored {
  size: number;
  createdAt: Date;
  /** The last push, read, HEAD, mount or push of a manifest that names it. */
  usedAt: Date;
}

/** A manifest that a repository has by its records. If its bytes are gone nevertheless, its times may be the epoch. */
export interface StoredManifest extends Stored {
  descriptor: Descriptor;
  tags: readonly string[];
}

export interface StoredBlob extends Stored {
  descriptor: Descriptor;
}

export interface StoredUpload extends Stored {
  id: string;
  /** Undefined if nobody can tell: an earlier process left it, and nobody has gone on with it since. */
  repository: string | undefined;
}

/** Content that no repository has. A crash in the middle of a push or of a removal leaves such. */
export interface StoredOrphan extends Stored {
  digest: Digest;
}

export interface RemovalOptions {
  /** What was used at this time or later stays. */
  unusedSince: Date;
}

export interface Usage {
  repositories: number;
  manifests: number;
  blobs: number;
  uploads: number;
  /** Bytes of all content, each counted once; what uploads hold included. */
  size: number;
}

/**
 * What garbage collection, checks, eviction and retention stand on. Nothing here counts as a use of what it speaks of.
 *
 * Lists are in byte order and are read while they are asked for: what is added or removed meanwhile is in them or not.
 * Whoever lists gives others their turn; memory grows with one repository's digests at the most.
 */
export interface Maintenance {
  /** Rejects with NAME_UNKNOWN. */
  manifests(repository: string, options?: ListOptions): AsyncIterable<StoredManifest>;
  /** Rejects with NAME_UNKNOWN. Also those whose bytes are damaged or, where a record says that it has them, gone. */
  blobs(repository: string, options?: ListOptions): AsyncIterable<StoredBlob>;
  /**
   * Those that hold bytes.
   *
   * @param repository of all repositories if it is undefined, also of those that have no content yet
   */
  uploads(repository: string | undefined, options?: ListOptions): AsyncIterable<StoredUpload>;
  /** What no repository has, in any order. None where there can be none, and from what shows a part of a registry. */
  orphans(options?: CallOptions): AsyncIterable<StoredOrphan>;
  /**
   * The bytes of a manifest as they are: nobody has compared them with the digest.
   *
   * Rejects with MANIFEST_UNKNOWN, also if only its bytes are gone; NAME_UNKNOWN.
   */
  readManifest(repository: string, digest: Digest, options?: CallOptions): Promise<Uint8Array>;
  /** Reads a blob or manifest and computes its digest. */
  verify(repository: string, digest: Digest, options?: CallOptions): Promise<'ok' | 'missing' | 'corrupt'>;
  /**
   * Removes a blob or manifest from the repository, unless it has been used since, is leased or has a tag. Atomic
   * against pushes, mounts and HEAD: whoever was told that the content is there can rely on it. A manifest that is
   * pushed counts as a use of what it names when the push begins and when it is done, and keeps it in between.
   *
   * @returns whether it was removed
   */
  removeUnused(repository: string, digest: Digest, options: RemovalOptions): Promise<boolean>;
  /**
   * Removes what {@link Maintenance.orphans} has found, unless it has been used since or a repository has it now.
   *
   * @returns whether it was removed
   */
  removeOrphan(digest: Digest, options: RemovalOptions): Promise<boolean>;
  /**
   * Puts damaged bytes aside, where the registry has a place for them: from then on every repository that shared them
   * is without the content. What names it stays, tags too, and pushing the right bytes makes it whole again. Computes the
   * digest first, and does nothing if it is right.
   *
   * @returns whether the bytes were damaged and are no longer there
   */
  quarantine(repository: string, digest: Digest): Promise<boolean>;
  /** Keeps content from {@link Maintenance.removeUnused} until it is disposed of; the content need not exist yet. */
  lease(repository: string, digests: Iterable<Digest>): Promise<AsyncDisposable>;
  usage(): Promise<Usage>;
}

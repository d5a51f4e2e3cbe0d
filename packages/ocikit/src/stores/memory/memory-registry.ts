// Creating a registry in memory.
import { createUploadIdIssuer, history, maintenance, verifiesPushes } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { memoryBlobs } from '../blobs/index.ts';
import type { BlobStore } from '../blobs/index.ts';
import { UploadSessions } from '../uploads/index.ts';

import { memoryDeleter } from './deleter.ts';
import { memoryLister } from './lister.ts';
import { memoryMaintenance } from './maintenance.ts';
import { memoryReader } from './reader.ts';
import { MemoryState } from './state.ts';
import { memoryWriter, uploadBackend } from './writer.ts';

/** Options of {@link createMemoryRegistry}. */
export interface MemoryRegistryOptions {
  /**
   * The store of the blobs' bytes alone. Tags and manifests are in memory, and lost with the process. Default:
   * {@link memoryBlobs}.
   */
  blobs?: BlobStore | undefined;
  /**
   * Existing tags cannot change. Moving a tag, and deleting content that a tag needs, reject with DENIED. Deleting a
   * tag rejects with UNSUPPORTED. Default: false.
   */
  immutableTags?: boolean | undefined;
  /** Accept manifests that name content which does not exist. Default: false. */
  sparse?: boolean | undefined;
  /**
   * Refuse manifests with a media type or artifact type that RFC 6838 does not allow, such as `foo`, with
   * MANIFEST_INVALID. Default: false, as clients push such artifacts.
   */
  strictMediaTypes?: boolean | undefined;
  /** The greatest number of uploads with bytes. Starting one more rejects with TOOMANYREQUESTS. Default: 1000. */
  maxUploads?: number | undefined;
  /** Milliseconds after which an unused upload is discarded. Default: one hour. */
  uploadExpiry?: number | undefined;
}

/**
 * Creates an empty registry in memory. Its content is lost when the process ends.
 *
 * @example
 * const registry = createMemoryRegistry();
 * const { digest } = await registry.pushBlob('team/app', { digest: digestOf(bytes) }, bytes);
 */
export function createMemoryRegistry(options: MemoryRegistryOptions = {}): Registry {
  const { blobs = memoryBlobs(), immutableTags = false, sparse = false, strictMediaTypes = false } = options;
  const { maxUploads = 1000, uploadExpiry = 60 * 60 * 1000 } = options;
  const state = new MemoryState(blobs, { immutableTags, sparse, strictMediaTypes });
  const uploads = new UploadSessions(uploadBackend(state, createUploadIdIssuer()), {
    maxUploads,
    expiry: uploadExpiry,
  });
  return {
    ...memoryReader(state),
    ...memoryWriter(state, uploads),
    ...memoryDeleter(state),
    ...memoryLister(state),
    [maintenance]: memoryMaintenance(state, uploads),
    [history]: state.history,
    [verifiesPushes]: true,
  };
}

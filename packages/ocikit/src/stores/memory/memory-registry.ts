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

export interface MemoryRegistryOptions {
  /** Where the bytes of blobs are kept; {@link memoryBlobs} if it is left out. Everything else is in memory. */
  blobs?: BlobStore | undefined;
  /**
   * A tag that exists stays as it is: pushing other content to it and deleting what it reaches is DENIED, deleting it
   * UNSUPPORTED. Default: false.
   */
  immutableTags?: boolean | undefined;
  /** Accept manifests that name content which is not there. Default: false. */
  sparse?: boolean | undefined;
  /** Uploads that may hold bytes at the same time; one more is TOOMANYREQUESTS. Default: 1000. */
  maxUploads?: number | undefined;
  /** Milliseconds after which an upload that nobody goes on with is gone. Default: one hour. */
  uploadExpiry?: number | undefined;
}

/**
 * A registry in memory: gone with the process.
 *
 * @example
 * const registry = createMemoryRegistry();
 * const { digest } = await registry.pushBlob('app', { digest: digestOf(bytes) }, bytes);
 */
export function createMemoryRegistry(options: MemoryRegistryOptions = {}): Registry {
  const { blobs = memoryBlobs(), immutableTags = false, sparse = false } = options;
  const { maxUploads = 1000, uploadExpiry = 60 * 60 * 1000 } = options;
  const state = new MemoryState(blobs, { immutableTags, sparse });
  const uploads = new UploadSessions(uploadBackend(state, createUploadIdIssuer()), { maxUploads, expiry: uploadExpiry });
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

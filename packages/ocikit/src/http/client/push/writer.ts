// Pushing blobs and manifests. The code that sends is loaded for the first call that needs it, as most pages only read.
import type { CallOptions, Reader, Writer } from '../../../model/index.ts';
import type { ReferrersListings } from '../referrers/index.ts';
import { loadPart } from '../shared/index.ts';
import type { ClientOptions } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

import { pushBlob } from './push-blob.ts';
import type { PushingParts } from './pushing-parts.ts';

type Uploads = Pick<Writer, 'startUpload' | 'resumeUpload' | 'mountBlob'>;

/**
 * The `Writer` of a registry. Distribution specification, "Push".
 *
 * @throws RangeError if `chunkSize` is not at least 1
 */
export function clientWriter(
  transport: Transport,
  options: Pick<ClientOptions, 'chunkSize' | 'transfers' | 'tagConditions'>,
  reader: Reader,
  listings: ReferrersListings,
): Writer {
  const { chunkSize = Number.POSITIVE_INFINITY, transfers } = options;
  if (!(chunkSize >= 1)) throw new RangeError(`chunkSize is ${chunkSize} bytes; it must be at least 1`);
  const parts: PushingParts = {
    transport,
    chunkSize,
    transfers,
    resolve: (repository, digest, call) => reader.resolveBlob(repository, digest, call),
  };

  const uploads = async ({ signal }: CallOptions): Promise<Uploads> => {
    const { clientUploads } = await loadPart(import('./uploads.ts'), signal);
    return clientUploads(parts);
  };

  return {
    pushBlob: (repository, blob, source, call = {}) => pushBlob(parts, repository, blob, source, call),
    startUpload: async (repository, call = {}) => (await uploads(call)).startUpload(repository, call),
    resumeUpload: async (repository, id, call = {}) => (await uploads(call)).resumeUpload(repository, id, call),
    mountBlob: async (from, repository, digest, call = {}) =>
      (await uploads(call)).mountBlob(from, repository, digest, call),
    async pushManifest(repository, bytes, mediaType, call = {}) {
      const { manifestPusher } = await loadPart(import('./manifest-pusher.ts'), call.signal);
      return manifestPusher(transport, reader, listings, options)(repository, bytes, mediaType, call);
    },
  };
}

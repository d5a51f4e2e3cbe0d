// Beginning, resuming and mounting uploads.
import {
  assertRepository,
  blobDescriptor,
  digestAlgorithm,
  isRegistryError,
  parseDigest,
  splitDigest,
} from '../../../model/index.ts';
import type { BlobUpload, Writer } from '../../../model/index.ts';

import { assertStored } from '../shared/index.ts';
import { repositoryScope } from '../../wire/index.ts';
import { stateOf } from './pushing-parts.ts';
import type { PushingParts } from './pushing-parts.ts';
import type { ClientResponse } from '../shared/index.ts';
import { clientUpload } from './upload.ts';
import { beginUpload, sizeIn, UploadSession } from './upload-session.ts';

/**
 * The methods of a `Writer` that give uploads. Distribution specification, "Pushing a blob in chunks" and "Mounting a
 * blob from another repository".
 */
export function clientUploads(parts: PushingParts): Pick<Writer, 'startUpload' | 'resumeUpload' | 'mountBlob'> {
  const { transport, resolve } = parts;
  const { places, limit } = stateOf(parts);
  const uploadOf = (repository: string, session: UploadSession, lastKnown?: number): BlobUpload =>
    clientUpload({ session, limit, lastKnown, resolve: (digest, call) => resolve(repository, digest, call) });
  const uploadBegun = (repository: string, response: ClientResponse): BlobUpload =>
    uploadOf(repository, UploadSession.begun(transport, places, repository, response));

  const startUpload: Writer['startUpload'] = async (repository, { algorithm, ...call } = {}) => {
    if (algorithm !== undefined) digestAlgorithm(algorithm);
    const query = { 'digest-algorithm': algorithm };
    return uploadBegun(repository, await beginUpload(transport, repository, call, { query, expect: [202] }));
  };

  return {
    startUpload,

    async resumeUpload(repository, id, { offset, ...call } = {}) {
      call.signal?.throwIfAborted();
      assertRepository(repository);
      const place = places.find(repository, id);
      const size = typeof offset === 'number' ? offset : undefined;
      const session = new UploadSession(transport, places, repository, place.location, size);
      if (offset !== undefined) return uploadOf(repository, session, place.size);
      session.size = place.size ?? 0;
      await session.ask(call);
      return uploadOf(repository, session);
    },

    async mountBlob(from, repository, digest, { algorithm, ...call } = {}) {
      parseDigest(digest);
      if (typeof from === 'string') assertRepository(from);
      if (algorithm !== undefined) digestAlgorithm(algorithm);
      // A registry cannot call the function, and might mount a blob that the caller may not read.
      if (typeof from === 'function') {
        const { algorithm: named } = splitDigest(digest);
        return { upload: await startUpload(repository, { algorithm: algorithm ?? named, ...call }) };
      }
      const query = { mount: digest, from, 'digest-algorithm': algorithm };
      const scope = from === undefined ? [] : repositoryScope(from, 'pull');
      let response: ClientResponse;
      try {
        response = await beginUpload(transport, repository, call, { query, scope, expect: [201, 202] });
      } catch (error) {
        // A blob that cannot be mounted can be sent.
        if (!isRegistryError(error, ...notMountable)) throw error;
        return { upload: await startUpload(repository, { algorithm, ...call }) };
      }
      if (response.status === 202) return { upload: uploadBegun(repository, response) };
      assertStored(transport, response, digest);
      const size = sizeIn(response) ?? (await resolve(repository, digest, call)).size;
      call.onEvent?.({ type: 'mounted', repository, digest, size, from });
      return { descriptor: blobDescriptor(digest, size) };
    },
  };
}

/** The other repository does not exist, or not for this caller, or the registry cannot mount at all. */
const notMountable = ['UNSUPPORTED', 'BLOB_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND', 'DENIED', 'UNAUTHORIZED'] as const;

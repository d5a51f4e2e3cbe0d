// Reading blobs, manifests and tags.
import { blobDescriptor } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Manifest, Reader } from '../../../model/index.ts';

import { manifestAddress, tagAddress } from '../shared/index.ts';
import { repositoryScope } from '../../wire/index.ts';
import { blobDownloads } from './blob-download.ts';
import { acceptManifests, descriptorIn, readManifest } from '../manifests/index.ts';
import type { ClientResponse, ClientOptions } from '../shared/index.ts';
import { RemoteBlob } from './remote-blob.ts';
import type { Transport } from '../transport/index.ts';

/**
 * The `Reader` of a registry. Content that is read as a whole has been verified at its end. Distribution
 * specification, "Pull".
 */
export function clientReader(transport: Transport, options: ClientOptions): Reader {
  const { base } = transport;

  const ask = (
    method: 'GET' | 'HEAD',
    url: URL,
    repository: string,
    call: CallOptions,
    expect: readonly number[],
  ): Promise<ClientResponse> =>
    transport.send({
      method,
      url,
      scope: repositoryScope(repository, 'pull'),
      headers: { accept: acceptManifests },
      expect,
      missing: 'MANIFEST_UNKNOWN',
      call,
    });

  /** A manifest is short: if it was cut, it is requested again as a whole. */
  const get = (url: URL, repository: string, call: CallOptions, digest?: Digest): Promise<Manifest> =>
    transport.attempt(call, async () => {
      const response = await ask('GET', url, repository, call, [200]);
      return readManifest(response, digest);
    });

  const resolve = async (url: URL, repository: string, call: CallOptions, digest?: Digest): Promise<Descriptor> => {
    const response = await ask('HEAD', url, repository, call, [200, 405, 501]);
    const descriptor = response.status === 200 ? descriptorIn(response, digest) : undefined;
    return descriptor ?? (await get(url, repository, call, digest)).descriptor;
  };

  return {
    getBlob: blobDownloads(transport, options),
    async getManifest(repository, digest, call = {}) {
      return get(manifestAddress(base, repository, digest), repository, call, digest);
    },
    async getTag(repository, tag, call = {}) {
      return get(tagAddress(base, repository, tag), repository, call);
    },
    async resolveBlob(repository, digest, { size, ...call } = {}) {
      return blobDescriptor(digest, await new RemoteBlob(transport, repository, digest, call, size).askSize());
    },
    async resolveManifest(repository, digest, call = {}) {
      return resolve(manifestAddress(base, repository, digest), repository, call, digest);
    },
    async resolveTag(repository, tag, call = {}) {
      return resolve(tagAddress(base, repository, tag), repository, call);
    },
  };
}

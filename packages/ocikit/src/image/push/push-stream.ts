// Pushes a stream whose digest only its end will tell.
import { defaultAlgorithm, Digester, mediaTypes, readSource } from '../../model/index.ts';
import type { BlobSource, CallOptions, Descriptor, Registry } from '../../model/index.ts';

/** Options of {@link pushStream}. */
export interface PushStreamOptions extends CallOptions {
  /** The algorithm of the digest. Default: `sha256`. */
  algorithm?: string | undefined;
  /** The media type of the descriptor that is returned; it is not stored. Default: `application/octet-stream`. */
  mediaType?: string | undefined;
}

/**
 * Pushes a blob of unknown digest and size in one call. It is hashed while it is sent, and read once.
 *
 * Rejects like `Registry.startUpload`, `BlobUpload.append` and `BlobUpload.commit`. The upload is then cancelled.
 *
 * @returns the descriptor for a manifest
 *
 * @example
 * const layer = await pushStream(registry, 'team/app', createReadStream('layer.tar.gz'), {
 *   mediaType: mediaTypes.layerGzip,
 * });
 */
export async function pushStream(
  registry: Registry,
  repository: string,
  source: BlobSource,
  options: PushStreamOptions = {},
): Promise<Descriptor> {
  const { algorithm = defaultAlgorithm, mediaType = mediaTypes.octetStream, ...call } = options;
  const digester = new Digester(algorithm);
  const pieces = readSource(source, call.signal)[Symbol.asyncIterator]();
  // A source that cannot be opened sends no request. Its errors must be caught from now on.
  const first = await pieces.next();
  try {
    const upload = await registry.startUpload(
      repository,
      algorithm === defaultAlgorithm ? call : { ...call, algorithm },
    );
    try {
      await upload.append(hashed(first, pieces, digester), call);
      const { digest, size } = await upload.commit(digester.digest(), call);
      return { mediaType, digest, size };
    } catch (error) {
      // Report the first error. An upload that cannot be cancelled expires.
      await upload.cancel().catch(() => undefined);
      throw error;
    }
  } finally {
    await pieces.return();
  }
}

async function* hashed(
  first: IteratorResult<Uint8Array, unknown>,
  pieces: AsyncIterator<Uint8Array, unknown>,
  digester: Digester,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let next = first; next.done !== true; next = await pieces.next()) {
    digester.update(next.value);
    yield next.value;
  }
}

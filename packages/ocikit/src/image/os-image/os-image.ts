import { mediaTypes, readSource, RegistryError, resolveRange } from '../../model/index.ts';
import type { BlobContent, ByteRange, CallOptions, Descriptor } from '../../model/index.ts';

import { contentOf, jsonContent } from '../content/index.ts';
import type { ImageContent, ReadVerifiedOptions } from '../content/index.ts';
import { createImage } from '../ref/index.ts';
import type { Image } from '../ref/index.ts';

import { hashChunks, verifiedChunks } from './chunk-hashes.ts';
import type { HashedChunks } from './chunk-hashes.ts';
import { maxChunkSize, parseOsImageConfig } from './os-image-config.ts';
import type { OsImageConfig, OsPayloadInfo, OsProductInfo } from './os-image-config.ts';

/** The media types of images of operating systems, as Monogon builds them. */
export const osImageTypes: Readonly<Record<'artifact' | 'config' | 'payload' | 'payloadZstd', string>> = {
  artifact: 'application/vnd.monogon.os.image.v1',
  config: 'application/vnd.monogon.os.image.config.v1+json',
  payload: mediaTypes.octetStream,
  payloadZstd: 'application/zstd',
};

type Bytes = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

export interface ReadPayloadOptions extends CallOptions {
  /** A part of it: reading goes on where it ended. Default: all. */
  range?: ByteRange | undefined;
  /**
   * Decompresses Zstandard, which no Web API does.
   *
   * @example
   * const decompress = (content) => pipeline(content, createZstdDecompress(), () => undefined); // Node 22.15
   */
  decompress?: ((compressed: BlobContent) => Bytes) | undefined;
}

/** An image of an operating system: named payloads, of which every part can be verified before it is used. */
export interface OsImage {
  readonly image: Image;
  readonly config: OsImageConfig;
  /**
   * The bytes of a payload, not compressed. They come in parts of at most 16 MiB, each of them verified: what was read before an error is
   * right, and reading can go on there. Only the chunks of the range are fetched if the payload is stored uncompressed.
   *
   * Rejects with NOT_FOUND if there is no such payload; UNSUPPORTED if it is stored in a way that cannot be read; DIGEST_INVALID,
   * SIZE_INVALID, BLOB_UNKNOWN.
   */
  readPayload(name: string, options?: ReadPayloadOptions): AsyncIterable<Uint8Array>;
  /** The layer in which a payload is stored, for those who verify it by themselves. Throws NOT_FOUND. */
  layerOf(name: string): Descriptor;
}

/**
 * An image of an operating system, after its config has been read and verified.
 *
 * Rejects with UNSUPPORTED_MEDIA_TYPE if it is none; UNSUPPORTED if it is of another version; MANIFEST_INVALID, naming the field; as
 * `Image.readVerified`.
 *
 * @example
 * const os = await readOsImage(asImage(await pull(registry, 'os', { tag: 'v1' })));
 * for await (const part of os.readPayload('system')) await partition.write(part);
 */
export async function readOsImage(image: Image, options: ReadVerifiedOptions = {}): Promise<OsImage> {
  const { artifactType } = image.manifest;
  if (artifactType !== osImageTypes.artifact || image.config.mediaType !== osImageTypes.config) {
    throw new RegistryError('UNSUPPORTED_MEDIA_TYPE', `${image.descriptor.digest} is no image of an operating system`);
  }
  const config = parseOsImageConfig(await image.readVerified(image.config, options));
  const { payloads } = config;
  if (payloads.length !== image.layers.length) {
    throw new RegistryError('MANIFEST_INVALID', `${image.layers.length} layers are not ${payloads.length} payloads`);
  }
  const find = (name: string): { info: OsPayloadInfo; layer: Descriptor } => {
    const at = payloads.findIndex((payload) => payload.name === name);
    const [info, layer] = [payloads[at], image.layers[at]];
    if (info !== undefined && layer !== undefined) return { info, layer };
    throw new RegistryError('NOT_FOUND', `there is no payload ${JSON.stringify(name.slice(0, 200))}`);
  };
  return {
    image,
    config,
    layerOf: (name) => find(name).layer,
    async *readPayload(name, readOptions = {}) {
      const { info, layer } = find(name);
      const { range, ...rest } = readOptions;
      const chunks = { size: info.size, chunkSize: info.hash_chunk_size, hashes: info.chunk_hashes_sha256 };
      const { start, end } = resolveRange(range, info.size);
      if (start === end && range !== undefined) return;
      const first = Math.floor(start / chunks.chunkSize);
      const last = Math.ceil(end / chunks.chunkSize) - 1;
      let at = first * chunks.chunkSize;
      for await (const chunk of readChunks(image, layer, { chunks, first, last, ...rest })) {
        yield chunk.subarray(Math.max(0, start - at), Math.min(chunk.length, end - at));
        at += chunk.length;
      }
    },
  };
}

interface ReadChunks extends Omit<ReadPayloadOptions, 'range'> {
  chunks: HashedChunks;
  first: number;
  last: number;
}

async function* readChunks(
  image: Image,
  layer: Descriptor,
  { chunks, first, last, decompress, ...call }: ReadChunks,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, chunkSize } = chunks;
  if (layer.mediaType === osImageTypes.payload) {
    if (layer.size !== size) throw new RegistryError('SIZE_INVALID', `${layer.size} bytes are stored, not ${size}`);
    const range = { start: first * chunkSize, end: Math.min(size, (last + 1) * chunkSize) };
    yield* verifiedChunks(await image.openBlob(layer, { ...call, range }), chunks, first, last);
    return;
  }
  if (layer.mediaType !== osImageTypes.payloadZstd || decompress === undefined) {
    throw new RegistryError('UNSUPPORTED', `a payload of ${layer.mediaType} needs to be decompressed`);
  }
  // What is compressed can only be read from its start.
  const content = await image.openBlob(layer, call);
  let index = 0;
  try {
    for await (const chunk of verifiedChunks(readSource(decompress(content), call.signal), chunks, 0, last)) {
      if (index++ >= first) yield chunk;
    }
  } finally {
    await content.cancel();
  }
}

export interface OsPayload {
  name: string;
  /** Not compressed. */
  bytes: Uint8Array;
  /** The same as Zstandard, to be stored in its place. */
  compressed?: Uint8Array | undefined;
  /** Bytes, at most 16 MiB. Default: 16 MiB. */
  chunkSize?: number | undefined;
}

/**
 * An image of an operating system, of payloads that are at hand.
 *
 * @throws RegistryError MANIFEST_INVALID, naming the field
 *
 * @example
 * const image = createOsImage({ id: 'example' }, [{ name: 'kernel.efi', bytes }]);
 */
export function createOsImage(product: OsProductInfo, payloads: readonly OsPayload[]): Image {
  const config: OsImageConfig = { format_version: '1', product_info: product, payloads: payloads.map(infoOf) };
  const stored = jsonContent(config, osImageTypes.config);
  parseOsImageConfig(stored.content);
  return createImage({ artifactType: osImageTypes.artifact, config: stored, layers: payloads.map(layerOf) });
}

function infoOf({ name, bytes, chunkSize = maxChunkSize }: OsPayload): OsPayloadInfo {
  // What is no size is found out with the rest of the config, and does not hash for ever.
  const hashes = chunkSize >= 1 ? hashChunks(bytes, chunkSize) : [];
  return { name, size: bytes.length, hash_chunk_size: chunkSize, chunk_hashes_sha256: hashes };
}

function layerOf({ bytes, compressed }: OsPayload): ImageContent {
  if (compressed === undefined) return contentOf(bytes, osImageTypes.payload);
  return contentOf(compressed, osImageTypes.payloadZstd);
}

// Images of operating systems: reading and creating them.
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

type Pieces = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** Options of {@link OsImage.readPayload}. */
export interface ReadPayloadOptions extends CallOptions {
  /** The range to read, in bytes without compression; the end is exclusive. Default: all. */
  range?: ByteRange | undefined;
  /**
   * Decompresses Zstandard, as no Web API does. Needed only for compressed payloads.
   *
   * @example
   * const decompress = (content) => pipeline(content, createZstdDecompress(), () => undefined); // Node 22.15
   */
  decompress?: ((compressed: BlobContent) => Pieces) | undefined;
}

/** An image of an operating system: named payloads. Each part of a payload is verified before the caller gets it. */
export interface OsImage {
  /** The image in the registry. */
  readonly image: Image;
  /** The image's config. */
  readonly config: OsImageConfig;
  /**
   * Yields the bytes of a payload, without compression, in verified parts of at most 16 MiB. After an error, the
   * parts read so far are correct, and a later call with `range` can resume there. If the payload is stored without
   * compression, only the chunks of the range are fetched.
   *
   * Rejects with NOT_FOUND if there is no such payload; UNSUPPORTED if its media type is unknown, or `decompress` is
   * missing; and with DIGEST_INVALID, SIZE_INVALID or BLOB_UNKNOWN.
   */
  readPayload(name: string, options?: ReadPayloadOptions): AsyncIterable<Uint8Array>;
  /** Gives the layer that stores a payload, for callers that verify it themselves. Throws NOT_FOUND. */
  layerOf(name: string): Descriptor;
}

/**
 * * Reads an image of an operating system: fetches and verifies its config.
 *
 * Rejects with UNSUPPORTED_MEDIA_TYPE if the image is of another kind; UNSUPPORTED if its config has another version;
 * MANIFEST_INVALID, naming the field; and like `Image.readVerified`.
 *
 * @example
 * const os = await readOsImage(asImage(await pull(registry, 'os', { tag: 'v1' })));
 * for await (const part of os.readPayload('system')) await partition.write(part);
 */
export async function readOsImage(image: Image, options: ReadVerifiedOptions = {}): Promise<OsImage> {
  const { artifactType } = image.manifest;
  if (artifactType !== osImageTypes.artifact || image.config.mediaType !== osImageTypes.config) {
    throw new RegistryError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${image.descriptor.digest} is not an image of an operating system, by its artifact type and its config's type`,
    );
  }
  const config = parseOsImageConfig(await image.readVerified(image.config, options));
  const { payloads } = config;
  if (payloads.length !== image.layers.length) {
    throw new RegistryError(
      'MANIFEST_INVALID',
      `${image.descriptor.digest} has ${image.layers.length} layers for ${payloads.length} payloads`,
    );
  }
  const find = (name: string): { info: OsPayloadInfo; layer: Descriptor } => {
    const at = payloads.findIndex((payload) => payload.name === name);
    const [info, layer] = [payloads[at], image.layers[at]];
    if (info !== undefined && layer !== undefined) return { info, layer };
    throw new RegistryError(
      'NOT_FOUND',
      `${image.descriptor.digest} has no payload ${JSON.stringify(name.slice(0, 200))}`,
    );
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
    if (layer.size !== size)
      throw new RegistryError(
        'SIZE_INVALID',
        `the layer ${layer.digest} has ${layer.size} bytes, but its payload has ${size}`,
      );
    const range = { start: first * chunkSize, end: Math.min(size, (last + 1) * chunkSize) };
    yield* verifiedChunks(await image.openBlob(layer, { ...call, range }), chunks, first, last);
    return;
  }
  if (layer.mediaType !== osImageTypes.payloadZstd || decompress === undefined) {
    throw new RegistryError(
      'UNSUPPORTED',
      `the layer ${layer.digest} is ${layer.mediaType}: give options.decompress for ${osImageTypes.payloadZstd}`,
    );
  }
  // Compressed content can only be read from its start.
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

/** A payload for {@link createOsImage}. */
export interface OsPayload {
  /** Its name: at most 80 letters, digits, `.`, `_` and `-`. */
  name: string;
  /** Its bytes, without compression. */
  bytes: Uint8Array;
  /** The same bytes, compressed with Zstandard. They are stored instead. Default: store `bytes`. */
  compressed?: Uint8Array | undefined;
  /** The bytes of each chunk but the last, at most 16 MiB. Default: 16,777,216 (16 MiB). */
  chunkSize?: number | undefined;
}

/**
 * Creates an image of an operating system from payloads in memory.
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
  // Do not hash with an invalid chunk size, which might never end. Validating the config refuses it.
  const hashes = chunkSize >= 1 ? hashChunks(bytes, chunkSize) : [];
  return { name, size: bytes.length, hash_chunk_size: chunkSize, chunk_hashes_sha256: hashes };
}

function layerOf({ bytes, compressed }: OsPayload): ImageContent {
  if (compressed === undefined) return contentOf(bytes, osImageTypes.payload);
  return contentOf(compressed, osImageTypes.payloadZstd);
}
